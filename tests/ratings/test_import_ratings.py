"""`flask import ratings`: ratings from anybody's CSV, exactly as they stand there, and what follows from them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskCliRunner

from recsite.errors import BrokenDataset
from recsite.extensions import db
from recsite.movies import averages
from recsite.ratings import bulk_writing
from recsite.ratings.importers.report import REFUSALS_KEPT, Report
from recsite.storage.tables import Counter, Movie, Rating, Suggestion, User
from tests.ratings.importing import import_ratings

pytestmark = pytest.mark.both_databases

HEADER = "user_id,movie_id,rating,timestamp\n"
HEAT, TOY_STORY = 949, 862

Load = Callable[..., Report]


@pytest.fixture
def load(app: Flask, tmp_path: Path) -> Load:
    """Import these lines; two movies are there, MovieLens knows them as 6 and 1."""
    db.session.add(Movie(id=HEAT, title="Heat", movielens_id=6))
    db.session.add(Movie(id=TOY_STORY, title="Toy Story", movielens_id=1))
    db.session.commit()

    def load_text(text: str, header: str = HEADER, user_offset: int = 0, movielens_ids: bool = False) -> Report:
        path = tmp_path / "ratings.csv"
        path.write_text(header + text, encoding="utf-8", newline="")
        report = import_ratings(path, user_offset, movielens_ids)
        db.session.expire_all()
        return report

    return load_text


def stored() -> list[tuple[int, int, float]]:
    """Every rating: user, movie, stars."""
    query = sa.select(Rating.user_id, Rating.movie_id, Rating.value).order_by(Rating.user_id, Rating.movie_id)
    return [(row.user_id, row.movie_id, row.value) for row in db.session.execute(query)]


def test_ratings_and_their_users_are_made(load: Load) -> None:
    report = load("1,949,4.5,964982703\n2,862,3,964982704\n")

    assert stored() == [(1, HEAT, 4.5), (2, TOY_STORY, 3.0)]
    assert (report.ratings.new, report.users.new) == (2, 2)
    assert db.session.get_one(User, 2).username == "user-2"
    assert db.session.get_one(Rating, (1, HEAT)).timestamp == datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "row"),
    (
        ("userId,movieId,rating,timestamp\n", "1,6,4.5,100\n"),
        ("User ID,Movie ID,Rating\n", "1,949,4.5\n"),
        ("user_id;movie_id;rating\n", "1;949;4.5\n"),
        ("USER_ID\tMOVIE_ID\tRATING\n", "1\t949\t4.5\n"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}user_id,movie_id,rating\r\n", "1,949,4.5\r\n"),
        ("timestamp,rating,movie_id,note,user_id\n", '100,4.5,949,"seen, twice",1\n'),
        ('"user_id","movie_id","rating"\n', '"1","949","4.5"\n'),
    ),
    ids=("MovieLens", "blanks", "semicolons", "tabs", "Windows", "other order", "quoted"),
)
def test_columns_are_found_by_name(load: Load, header: str, row: str) -> None:
    load(row, header=header)

    assert stored() == [(1, HEAT, 4.5)]


def test_half_stars_are_not_rounded_up(load: Load) -> None:
    halves = [half / 2 for half in range(1, 11)]

    load("".join(f"{user},949,{value},100\n" for user, value in enumerate(halves, 1)))

    assert [value for _, _, value in stored()] == halves


def test_movielens_ids_are_not_taken_for_tmdb_ids(load: Load) -> None:
    report = load("1,6,4.5,100\n1,862,3.0,100\n", movielens_ids=True)

    assert stored() == [(1, HEAT, 4.5)]
    assert report.refused == {"no movie has this id": 1}


def test_ratings_of_one_user_are_not_counted_twice_in_averages(load: Load) -> None:
    load("1,949,2.0,100\n1,949,4.0,200\n2,949,3.0,100\n")
    load("1,949,5.0,300\n")

    heat = db.session.get_one(Movie, HEAT)
    assert (heat.rating_count, heat.rating_avg) == (2, (5.0 + 3.0) / 2)


def test_the_score_is_the_average_shrunken_toward_the_mean_of_all_ratings(load: Load) -> None:
    load("1,949,5.0,100\n2,949,4.0,100\n1,862,1.5,100\n")

    mean, prior = (5.0 + 4.0 + 1.5) / 3, averages.PRIOR_RATINGS
    assert db.session.get_one(Movie, HEAT).score == pytest.approx((9.0 + prior * mean) / (2 + prior))
    assert db.session.get_one(Movie, TOY_STORY).score == pytest.approx((1.5 + prior * mean) / (1 + prior))


BAD_ROWS = (
    ("1,949,0,100", "rating is not from 0.5 to 5.0 in halves"),
    ("1,949,-1,100", "rating is not"),
    ("1,949,3.7,100", "rating is not"),
    ("1,949,4_5,100", "rating is not"),
    ("1,949,good,100", "rating is not"),
    *((f"1,949,{value},100", "rating is not") for value in ("nan", "inf", "")),
    ("0,949,4.0,100", "user id is not a whole number"),
    ("-1,949,4.0,100", "user id is not"),
    ("1.5,949,4.0,100", "user id is not"),
    ("x,949,4.0,100", "user id is not"),
    ("2147483648,949,4.0,100", "user id is not"),
    (f"{'9' * 5000},949,4.0,100", "user id is not"),
    ("1,0,4.0,100", "movie id is not a whole number"),
    ("1,99999999999,4.0,100", "movie id is not"),
    ("1,7,4.0,100", "no movie has this id"),
    ("1,949,4.0", "the row does not have as many fields"),
    ("1,949,4.0,100,1", "the row does not have as many fields"),
)


def test_a_bad_row_is_refused_with_its_line_and_the_rest_goes_on(load: Load) -> None:
    for row, reason in BAD_ROWS:
        report = load(f"8,949,1.0,100\n{row}\n9,949,2.0,100\n")

        assert stored() == [(8, HEAT, 1.0), (9, HEAT, 2.0)], row
        ((told, (refusal,)),) = report.refusals.items()
        assert reason in told, row
        assert (refusal.file, refusal.line) == ("ratings.csv", 3), row


def test_of_a_million_bad_rows_only_the_first_are_kept(load: Load) -> None:
    report = load("1,949,4.2,100\n" * 1000)

    ((reason, refusals),) = report.refusals.items()
    assert len(refusals) == REFUSALS_KEPT
    assert report.refused[reason] == 1000


def test_of_two_ratings_in_one_file_the_later_counts_wherever_it_stands(load: Load) -> None:
    report = load("1,949,5.0,300\n1,949,1.0,100\n1,949,2.0,200\n")

    assert stored() == [(1, HEAT, 5.0)]
    assert (report.ratings.read, report.ratings.new, report.ratings.merged) == (3, 1, 2)


def test_of_equally_late_ratings_the_last_in_the_file_counts(load: Load) -> None:
    load("1,949,5.0,100\n1,949,1.0,100\n")

    assert stored() == [(1, HEAT, 1.0)]


def test_rating_again_replaces_and_counts_as_changed(load: Load) -> None:
    load("1,949,5.0,100\n2,949,3.0,100\n")

    report = load("1,949,4.0,100\n2,949,3.0,200\n1,862,2.0,100\n")

    assert stored() == [(1, TOY_STORY, 2.0), (1, HEAT, 4.0), (2, HEAT, 3.0)]
    assert (report.ratings.new, report.ratings.changed, report.ratings.unchanged) == (1, 2, 0)


def test_importing_again_changes_nothing(load: Load) -> None:
    text = "1,949,5.0,100\n2,949,3.0,100\n"
    load(text)
    catalog_before = db.session.get_one(Counter, "catalog").value

    report = load(text)

    assert (report.ratings.new, report.ratings.changed, report.ratings.unchanged) == (0, 0, 2)
    assert db.session.get_one(User, 1).rating_generation == 1
    assert db.session.get_one(Counter, "catalog").value == catalog_before


def test_a_rating_without_a_time_was_given_now_and_keeps_that_time(load: Load) -> None:
    header = "user_id,movie_id,rating\n"
    begun = datetime.now(UTC)
    load("1,949,5.0\n", header=header)
    given = db.session.get_one(Rating, (1, HEAT)).timestamp

    report = load("1,949,5.0\n", header=header)

    assert begun <= given <= datetime.now(UTC)
    assert report.ratings.unchanged == 1
    assert db.session.get_one(Rating, (1, HEAT)).timestamp == given


@pytest.mark.parametrize("time", ("2000-07-30T18:45:03Z", "2000-07-30 18:45:03", "2000-07-30T20:45:03+02:00"))
def test_times_may_be_iso_dates_in_utc_unless_they_name_a_zone(load: Load, time: str) -> None:
    load(f"1,949,5.0,{time}\n")

    assert db.session.get_one(Rating, (1, HEAT)).timestamp == datetime(2000, 7, 30, 18, 45, 3, tzinfo=UTC)


def test_the_rating_generation_goes_up_for_users_whose_ratings_changed(load: Load) -> None:
    load("1,949,5.0,100\n2,949,3.0,100\n")

    load("1,949,4.0,100\n2,949,3.0,100\n")

    assert db.session.get_one(User, 1).rating_generation == 2
    assert db.session.get_one(User, 2).rating_generation == 1


def test_a_suggestion_of_a_movie_that_is_rated_now_is_marked_as_rated(load: Load) -> None:
    load("1,949,5.0,100\n")
    db.session.add(Suggestion(user_id=1, movie_id=HEAT, value=4.2, rank=1))
    db.session.add(Suggestion(user_id=1, movie_id=TOY_STORY, value=4.1, rank=2))
    db.session.commit()

    load("1,949,3.5,200\n")

    heat, other = (db.session.get_one(Suggestion, (1, movie_id)) for movie_id in (HEAT, TOY_STORY))
    assert (heat.did_rate, heat.rating_value, heat.value) == (True, 3.5, 4.2)
    assert heat.did_rate_timestamp == datetime.fromtimestamp(200, UTC)
    assert other.did_rate is False


def test_ratings_under_the_id_of_an_account_are_refused_unless_shifted(load: Load) -> None:
    db.session.add(User(id=1, username="ann", password_hash="x"))
    db.session.commit()

    refused = load("1,949,5.0,100\n")
    shifted = load("1,949,5.0,100\n", user_offset=100)

    ((reason, (refusal,)),) = refused.refusals.items()
    assert "--user-offset N" in reason
    assert (refusal.line, refusal.given) == (2, "user 1")
    assert (refused.ratings.refused, shifted.ratings.new) == (1, 1)
    assert stored() == [(101, HEAT, 5.0)]


def test_the_largest_imported_user_id_is_below_those_of_accounts(load: Load) -> None:
    report = load("999999999,949,5.0,100\n1000000000,949,5.0,100\n")

    assert (report.ratings.new, report.ratings.refused) == (1, 1)


def test_blank_lines_are_read_over(load: Load) -> None:
    report = load("\n1,949,5.0,100\n\n\n")

    assert (report.ratings.read, report.ratings.new) == (1, 1)


def test_more_ratings_than_one_batch_are_all_taken(load: Load) -> None:
    report = load("".join(f"{user},949,4.0,100\n" for user in range(1, 25_001)))

    assert (report.ratings.new, report.users.new) == (25_000, 25_000)
    assert db.session.get_one(Movie, HEAT).rating_count == 25_000


def test_ratings_that_need_more_than_one_block_are_all_written(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_writing, "ROWS_PER_BLOCK", 2)

    report = load("".join(f"{user},{movie_id},4.0,100\n" for user in range(1, 6) for movie_id in (HEAT, TOY_STORY)))

    assert report.ratings.new == len(stored()) == 10


@pytest.mark.parametrize(
    ("header", "message"),
    (
        ("", r"ratings\.csv is empty"),
        ("name,film,stars\n", "has no column 'user_id'; its first line is 'name,film,stars"),
        ("1,949,5.0,100\n", "has no column 'user_id'"),
    ),
    ids=("empty", "other names", "no header"),
)
def test_a_file_of_another_kind_is_named(load: Load, header: str, message: str) -> None:
    with pytest.raises(BrokenDataset, match=message):
        load("", header=header)


def test_a_folder_without_a_table_is_no_file_of_ratings(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(BrokenDataset, match=r"empty has no a table of ratings in it\. Found no files\."):
        import_ratings(tmp_path / "empty")


def test_the_command_hints_at_movielens_ids_when_movies_are_not_found(
    load: Load, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    path = tmp_path / "from_movielens.csv"
    path.write_text("user,movie,rating,timestamp\n1,6,4.0,100\n")

    plain = runner.invoke(args=["import", "ratings", str(path)])
    mapped = runner.invoke(args=["import", "ratings", str(path), "--movielens-ids"])

    assert (plain.exit_code, mapped.exit_code) == (1, 0)
    assert "The ids were read as TMDB's; if they are others, say whose with --ids." in plain.stdout
    assert stored() == [(1, HEAT, 4.0)]
