"""The columns `rating_count`, `rating_avg` and `score` of movies, recomputed from the ratings.

score = (sum of stars + PRIOR_RATINGS · m) / (count + PRIOR_RATINGS), where m is the mean of all ratings.
Without ratings `rating_avg` and `score` are NULL.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.movies.visibility import bump_catalog
from recsite.storage.deadlocks import retry_deadlocks
from recsite.storage.queries import dialect_insert, in_blocks, run
from recsite.storage.row_tables import table_of
from recsite.storage.tables import Counter, Movie, Rating

PRIOR_RATINGS = 25
"""Weight of the mean of all ratings in a movie's score, in ratings.

Much smaller, a single five-star rating leads the list; much larger, a well-rated rare movie never reaches the top.
"""
HALF_STARS = sa.func.round(Movie.rating_avg * Movie.rating_count * 2)
"Sum of a movie's ratings in half stars. ROUND makes it independent of the order of summation."


def score_of(stars: Any, count: Any, mean: Any) -> Any:
    """Return the SQL expression of a movie's score, by the formula above."""
    return (stars + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS)


def read_averages(condition: sa.ColumnElement[bool]) -> sa.Subquery:
    """Return the query of id, stars (their sum), count and average of the matching movies."""
    stars, count = sa.func.sum(Rating.value), sa.func.count(Rating.value)
    return (
        sa.select(
            Movie.id,
            stars.label("stars"),
            count.label("count"),
            (stars / sa.func.nullif(count, 0)).label("average"),
        )
        .outerjoin(Rating, Rating.movie_id == Movie.id)
        .where(condition)
        .group_by(Movie.id)
        .subquery()
    )


def total(name: str) -> sa.ScalarSelect[int]:
    """Return the query of one of the two counters of `save_totals`."""
    return sa.select(Counter.value).where(Counter.name == name).scalar_subquery()


ALL = read_averages(sa.true())
IS_STALE = (Movie.rating_count != ALL.c.count) | Movie.rating_avg.is_distinct_from(ALL.c.average)
UPDATE_ALL_COUNTS = (
    sa.update(Movie).where(Movie.id == ALL.c.id, IS_STALE).values(rating_count=ALL.c.count, rating_avg=ALL.c.average)
)
LOCK_STALE_COUNTS = (
    sa.select(Movie.id)
    .join(ALL, Movie.id == ALL.c.id)
    .where(IS_STALE)
    .order_by(Movie.id)
    .with_for_update(key_share=True, of=Movie)
)
SCORE = score_of(HALF_STARS / 2, Movie.rating_count, sa.bindparam("mean", type_=sa.Float))
UPDATE_ALL_SCORES = sa.update(Movie).where(Movie.score.is_distinct_from(SCORE)).values(score=SCORE)
LOCK_STALE_SCORES = (
    sa.select(Movie.id).where(Movie.score.is_distinct_from(SCORE)).order_by(Movie.id).with_for_update(key_share=True)
)

NEW_COUNT = Movie.rating_count + sa.bindparam("new", type_=sa.Integer)
NEW_HALF_STARS = sa.func.coalesce(HALF_STARS, 0) + sa.bindparam("half_stars", type_=sa.Integer)
ADD_TO_ONE = (
    sa.update(Movie.__table__)
    .where(Movie.id == sa.bindparam("movie", type_=sa.Integer))
    .values(rating_count=NEW_COUNT, rating_avg=sa.cast(NEW_HALF_STARS, sa.Double) / 2 / NEW_COUNT)
)

SUMS: dict[str, Any] = {"movie_id": sa.Integer, "ratings": sa.Integer, "half_stars": sa.Integer}
HAS_ID = Movie.id.in_(sa.bindparam("ids", expanding=True))
SOME = read_averages(HAS_ID)
STORED_MEAN = sa.cast(total("half_stars"), sa.Double) / 2 / sa.func.nullif(total("ratings"), 0)
UPDATE_SOME = (
    sa.update(Movie)
    .where(Movie.id == SOME.c.id)
    .values(
        rating_count=SOME.c.count,
        rating_avg=SOME.c.average,
        score=score_of(SOME.c.stars, SOME.c.count, STORED_MEAN),
    )
    .returning(Movie.rating_count, Movie.score)
)
# FOR NO KEY UPDATE: inserting a rating already takes a key-share lock on the movie, for the foreign key. Two sessions
# that both upgrade to FOR UPDATE would deadlock.
LOCK_SOME = sa.select(Movie.id).where(HAS_ID).order_by(Movie.id).with_for_update(key_share=True)


@retry_deadlocks
def refresh_all_averages() -> bool:
    """Recompute the averages and scores of all movies, and commit; return whether any row changed."""
    changed = refresh_every_movie()
    db.session.commit()
    return changed


def refresh_averages(movie_ids: Iterable[int] | None = None) -> None:
    """Recompute averages and scores of these movies, or of all movies for None. Does not commit."""
    if movie_ids is None:
        refresh_every_movie()
    else:
        refresh_some_movies(sorted(set(movie_ids)))


def refresh_some_movies(movie_ids: Sequence[int]) -> None:
    """Recompute averages and scores of these movies, with the mean that the last refresh of all movies stored.

    The catalogue counter stays: one rating hardly changes the order of the popular movies, and a new counter value
    would make the lists of all users stale.
    """
    for block in in_blocks(movie_ids):
        # The second of two concurrent ratings of one movie waits here and then counts the first one too.
        lock(LOCK_SOME, ids=block)
        if any(row.rating_count and row.score is None for row in run(UPDATE_SOME, ids=block)):
            # No mean is stored before the first refresh of all movies.
            save_totals()
            run(UPDATE_SOME, ids=block)


def add_to_averages(changes: Iterable[tuple[int, int, int]]) -> None:
    """Add new ratings and changes of others to the averages, and recompute all scores. Does not commit.

    For an import of millions, recounting all ratings takes as long as writing them.

    Args:
        changes: movie id, number of new ratings, and change of the sum in half stars; ordered by id against deadlocks.
    """
    rows = [{"movie": movie_id, "new": new, "half_stars": half_stars} for movie_id, new, half_stars in changes]
    db.session.connection().execute(ADD_TO_ONE, rows)
    refresh_scores()
    bump_catalog()


def change_averages(changes: Mapping[int, tuple[int, int]]) -> None:
    """Add a few thousand new, changed and withdrawn ratings to averages and scores. Does not commit.

    The mean of all ratings and the catalogue counter stay as in `refresh_some_movies`, which would count all ratings of
    these movies.

    Args:
        changes: by movie the change of its number of ratings and of their sum in half stars.
    """
    for block in in_blocks(sorted(changes)):
        lock(LOCK_SOME, ids=block)
        sent = table_of(SUMS, [(movie_id, *changes[movie_id]) for movie_id in block])
        if any(row.rating_count and row.score is None for row in run(add_to_some(sent))):
            # No mean is stored before the first refresh of all movies, and nothing could be popular.
            refresh_scores()
            bump_catalog()


def add_to_some(sent: sa.FromClause) -> Any:
    """Return the statement that adds the columns SUMS of this table to the movies."""
    count = Movie.rating_count + sent.c.ratings
    stars = sa.cast(sa.func.coalesce(HALF_STARS, 0) + sent.c.half_stars, sa.Double) / 2
    has_ratings = sa.func.nullif(count, 0)
    values = {
        "rating_count": count,
        "rating_avg": stars / has_ratings,
        "score": score_of(stars, has_ratings, STORED_MEAN),
    }
    changed = sa.update(Movie).where(Movie.id == sent.c.movie_id).values(values)
    return changed.returning(Movie.rating_count, Movie.score)


def refresh_every_movie() -> bool:
    """Recompute averages and scores of all movies; return whether a row changed, which bumps the catalogue counter."""
    # The rows are locked before they are counted. A rating that is committed between the two would be missed otherwise.
    counts_changed = lock(LOCK_STALE_COUNTS) and run(UPDATE_ALL_COUNTS).rowcount > 0
    scores_changed = refresh_scores()
    if counts_changed or scores_changed:
        bump_catalog()
    return counts_changed or scores_changed


def refresh_scores() -> bool:
    """Recompute the scores of all movies from their averages; return whether one changed."""
    # The mean of all ratings may have changed, so scores may change where no rating did.
    mean = mean_stars(*save_totals())
    return lock(LOCK_STALE_SCORES, mean=mean) and run(UPDATE_ALL_SCORES, mean=mean).rowcount > 0


def lock(rows: sa.Select[int], **parameters: object) -> bool:
    """Lock these movies until the commit, ordered by id against deadlocks; return whether there may be any.

    SQLite has a single writer: there it returns True without a query.
    """
    return db.engine.dialect.name == "sqlite" or len(run(rows, **parameters).all()) > 0


def mean_stars(half_stars: int, count: int) -> float:
    """Return the mean in stars of `count` ratings with this sum in half stars; 0 if there are none."""
    return half_stars / 2 / count if count else 0.0


def save_totals() -> tuple[int, int]:
    """Store and return the sum of all ratings in half stars and their number, both read from the movies' averages."""
    totals = sa.select(sa.func.sum(HALF_STARS), sa.func.sum(Movie.rating_count)).where(Movie.rating_count > 0)
    half_stars, count = (int(total or 0) for total in db.session.execute(totals).one())
    for name, value in (("half_stars", half_stars), ("ratings", count)):
        insert = dialect_insert(Counter.__table__).values(name=name, value=value)
        db.session.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
    return half_stars, count
