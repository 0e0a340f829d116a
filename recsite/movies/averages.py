"""The columns `rating_count`, `rating_avg` and `score` of movies, recomputed from the ratings.

score = (sum of stars + PRIOR_RATINGS · m) / (count + PRIOR_RATINGS), where m is the mean of all ratings.
Without ratings `rating_avg` and `score` are NULL.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from recsite.extensions import db
from recsite.movies.visibility import bump_catalog
from recsite.storage.queries import dialect_insert, run
from recsite.storage.tables import Counter, Movie, Rating

PRIOR_RATINGS = 25
"""Weight of the mean of all ratings in a movie's score, in ratings.

With a much smaller weight a single five-star rating leads the list; with a much larger one a well-rated rare movie
never reaches the top.
"""
HALF_STARS = sa.func.round(Movie.rating_avg * Movie.rating_count * 2)
"""Sum of a movie's ratings in half stars.

It is rounded to a whole number, so that the result does not depend on the order of summation. Otherwise every refresh
would find scores that differ in the last digit.
"""
MAX_IDS_PER_STATEMENT = 5000
"SQLite allows at most 32,766 parameters in one statement."


def counts_update(condition: sa.ColumnElement[bool]) -> sa.Update:
    """Return the UPDATE of rating_count and rating_avg for these movies; it matches only rows that differ."""
    count = sa.func.count(Rating.value)
    fresh = (
        sa.select(
            Movie.id,
            count.label("rating_count"),
            (sa.func.sum(Rating.value) / sa.func.nullif(count, 0)).label("rating_avg"),
        )
        .outerjoin(Rating, Rating.movie_id == Movie.id)
        .where(condition)
        .group_by(Movie.id)
        .subquery()
    )
    is_stale = (Movie.rating_count != fresh.c.rating_count) | Movie.rating_avg.is_distinct_from(fresh.c.rating_avg)
    return (
        sa.update(Movie)
        .where(Movie.id == fresh.c.id, is_stale)
        .values(rating_count=fresh.c.rating_count, rating_avg=fresh.c.rating_avg)
    )


def scores_update(condition: sa.ColumnElement[bool]) -> sa.Update:
    """Return the UPDATE of score from count, average and the parameter `mean`; it matches only rows that differ."""
    prior = PRIOR_RATINGS * sa.bindparam("mean", type_=sa.Float)
    score = (HALF_STARS / 2 + prior) / (Movie.rating_count + PRIOR_RATINGS)
    return sa.update(Movie).where(condition, Movie.score.is_distinct_from(score)).values(score=score)


HAS_ID = Movie.id.in_(sa.bindparam("ids", expanding=True))
COUNTS_OF_ALL, COUNTS_BY_ID = counts_update(sa.true()), counts_update(HAS_ID)
SCORES_OF_ALL, SCORES_BY_ID = scores_update(sa.true()), scores_update(HAS_ID)
TOTALS = sa.select(Counter.name, Counter.value).where(Counter.name.in_(("half_stars", "ratings")))
# FOR NO KEY UPDATE: inserting a rating already takes a key-share lock on the movie, for the foreign key. Two sessions
# that both upgrade to FOR UPDATE would deadlock.
LOCK = sa.select(Movie.id).where(HAS_ID).order_by(Movie.id).with_for_update(key_share=True)


def refresh_all_averages() -> bool:
    """Recompute the averages and scores of all movies, and commit; return whether any row changed."""
    changed = refresh_averages()
    db.session.commit()
    return changed


def refresh_averages(movie_ids: Iterable[int] | None = None) -> bool:
    """Recompute the averages and scores of these movies; return whether any row changed. Does not commit.

    None stands for all movies, an empty iterable for none.
    """
    return refresh_every_movie() if movie_ids is None else refresh_some_movies(sorted(set(movie_ids)))


def refresh_some_movies(movie_ids: Sequence[int]) -> bool:
    """Recompute the averages of these movies, with the mean of all ratings that the last refresh of all movies stored.

    So one rating reads only the ratings of its movie. The catalogue counter stays: one rating hardly changes the order
    of the popular movies, and a new counter value would make the lists of all users stale.
    """
    changed = 0
    for start in range(0, len(movie_ids), MAX_IDS_PER_STATEMENT):
        block = movie_ids[start : start + MAX_IDS_PER_STATEMENT]
        lock_movies(block)
        changed += run(COUNTS_BY_ID, ids=block).rowcount
        changed += run(SCORES_BY_ID, ids=block, mean=mean_stars(*(read_totals() or save_totals()))).rowcount
    return changed > 0


def refresh_every_movie() -> bool:
    """Recompute the averages of all movies, and bump the catalogue counter if a row changed."""
    counts_changed = run(COUNTS_OF_ALL).rowcount > 0
    if counts_changed and db.engine.dialect.name != "sqlite":
        # A rating that was committed after the counts were read and before the rows were locked is missing. The rows
        # are locked now, so a second pass counts it. SQLite has a single writer.
        run(COUNTS_OF_ALL)
    # The mean of all ratings may have changed, so scores may change where no rating did.
    scores_changed = run(SCORES_OF_ALL, mean=mean_stars(*save_totals())).rowcount > 0
    if counts_changed or scores_changed:
        bump_catalog()
    return counts_changed or scores_changed


def lock_movies(movie_ids: Sequence[int]) -> None:
    """Lock these movies' rows until the commit, in the order of their ids.

    The second of two concurrent ratings of one movie waits here and then counts the first one too. The common order
    prevents deadlocks between two refreshes. Does nothing on SQLite, which has a single writer.
    """
    if db.engine.dialect.name != "sqlite":
        run(LOCK, ids=movie_ids)


def mean_stars(half_stars: int, count: int) -> float:
    """Return the mean in stars of `count` ratings with this sum in half stars; 0 if there are none."""
    return half_stars / 2 / count if count else 0.0


def save_totals() -> tuple[int, int]:
    """Store the sum of all ratings in half stars and their number, taken from the movies' averages; return both."""
    totals = sa.select(sa.func.sum(HALF_STARS), sa.func.sum(Movie.rating_count)).where(Movie.rating_count > 0)
    half_stars, count = (int(total or 0) for total in db.session.execute(totals).one())
    for name, value in (("half_stars", half_stars), ("ratings", count)):
        insert = dialect_insert(Counter.__table__).values(name=name, value=value)
        db.session.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
    return half_stars, count


def read_totals() -> tuple[int, int] | None:
    """Return what `save_totals` stored last, or None."""
    stored = {row.name: row.value for row in run(TOTALS)}
    return (stored["half_stars"], stored["ratings"]) if stored else None
