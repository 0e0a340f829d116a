"""References to movies by the ids of others."""

import pytest
from flask import Flask

from recsite.errors import InvalidInput
from recsite.extensions import db
from recsite.movies import ids
from recsite.movies.ids import Ref
from recsite.storage.tables import MOVIE_ID_WITHOUT_TMDB, Movie
from tests.conftest import World


@pytest.fixture
def known(world: World) -> World:
    """The world; Heat has an id of each kind, and one movie has none of TMDB."""
    heat = db.session.get_one(Movie, 949)
    heat.imdb_id, heat.movielens_id, heat.site_id = "tt0113277", 6, "SKU-12"
    db.session.add(Movie(id=MOVIE_ID_WITHOUT_TMDB + 77, title="Not on TMDB", movielens_id=77))
    db.session.commit()
    return world


@pytest.mark.parametrize(
    ("text", "ref"),
    (
        ("site:SKU-12", Ref("site", "SKU-12")),
        ("site:a:b", Ref("site", "a:b")),
        ("imdb:tt0113277", Ref("imdb", "tt0113277")),
        ("imdb:tt113277", Ref("imdb", "tt0113277")),
        ("tmdb:949", Ref("tmdb", 949)),
        ("movielens:6", Ref("movielens", 6)),
    ),
)
def test_a_reference_is_a_kind_and_an_id(text: str, ref: Ref) -> None:
    assert ids.parse(text) == ref


@pytest.mark.parametrize(
    "text",
    (
        *(
            "",
            "949",
            "site:",
            "site:a b",
            "site:" + "x" * 201,
            "imdb:113277",
            "imdb:tt1",
            "tmdb:0",
            "tmdb:-1",
            "tmdb:1e3",
        ),
        *("tmdb:٣", "movielens:6 ", "SITE:x", "isbn:1", "tmdb:99999999999", "site:x\n", "site:\0"),
    ),
)
def test_any_other_text_is_refused_with_what_it_may_be(text: str) -> None:
    with pytest.raises(InvalidInput, match="movie must be a movie's id with its kind, such as site:SKU-12"):
        ids.parse(text)


@pytest.mark.both_databases
def test_many_references_of_all_kinds_are_found_at_once(app: Flask, known: World) -> None:
    texts = ("site:SKU-12", "imdb:tt0113277", "tmdb:949", "movielens:6", "movielens:77")
    unknown = ("site:SKU-13", "imdb:tt9999999", "tmdb:5", "movielens:7", "tmdb:1000000077", "movielens:9999999999")

    found = ids.find_ids([ids.parse(text) for text in (*texts, *unknown)])

    assert found == dict(zip(map(ids.parse, texts), (949, 949, 949, 949, MOVIE_ID_WITHOUT_TMDB + 77), strict=True))
    assert ids.find_id(Ref("site", "SKU-12")) == 949
    assert ids.find_id(Ref("site", "nothing")) is None


def test_of_two_movies_with_one_id_elsewhere_the_smaller_id_counts(app: Flask, known: World) -> None:
    db.session.get_one(Movie, 13).movielens_id = 6
    db.session.commit()

    assert ids.find_id(Ref("movielens", 6)) == 13
