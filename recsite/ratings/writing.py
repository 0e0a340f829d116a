"""The only module that writes ratings, beside `bulk_writing` for millions at once, and all that derives from them.

After each write:

1. A pair of user and movie has at most one rating.
2. `rating_generation` of each user whose ratings changed went up by one, so that their lists become stale.
3. A suggestion of a rated movie has `did_rate`, `rating_value` and `did_rate_timestamp` of that rating.
4. `rating_count`, `rating_avg` and `score` of the movies follow from the ratings.

Nothing here commits. Users are locked by id, then movies by id, so that writers never deadlock on PostgreSQL; SQLite
has a single writer.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from recsite import movies
from recsite.errors import InvalidInput, MovieNotFound, NotFound, UserNotFound
from recsite.extensions import db
from recsite.storage.queries import dialect_insert, run
from recsite.storage.tables import Movie, Rating, Suggestion, User, UTCDateTime, now

VALUES = tuple(halves / 2 for halves in range(1, 11))
"The allowed ratings, in stars."

ratings: sa.Table = Rating.__table__
suggestions: sa.Table = Suggestion.__table__
users: sa.Table = User.__table__
COLUMNS = ("user_id", "movie_id", "value", "timestamp")
"Columns of a table of changes; value and timestamp are NULL for a withdrawn rating."


class RatingChange(NamedTuple):
    """A new, changed or withdrawn rating of one user."""

    movie_id: int
    value: float | None = None
    "In stars; None withdraws the rating, with None as its timestamp."
    timestamp: datetime | None = None


def save_rating(user_id: int, movie_id: int, value: float, at: datetime | None = None) -> bool:
    """Save the user's rating of a visible movie; return whether it is the first one. Does not commit.

    Raises:
        InvalidInput: the value is not one of VALUES.
        MovieNotFound: no visible movie has this id.
        UserNotFound: no user has this id.
    """
    check_value(value)
    with write_ratings(user_id) as changes:
        visible = run(VISIBLE_MOVIE, user=user_id, movie=movie_id).first()
        if visible is None:
            raise MovieNotFound
        changes.append(RatingChange(movie_id, value, at or now()))
    return visible.value is None


def save_missing_ratings(user_id: int, stars: Mapping[int, float]) -> int:
    """Save these ratings (stars by movie id) of visible movies that the user has not rated; return how many. No commit.

    Raises:
        InvalidInput: a value is not one of VALUES.
        UserNotFound: no user has this id.
    """
    for value in stars.values():
        check_value(value)
    with write_ratings(user_id) as changes:
        unrated = (
            sa.select(Movie.id)
            .where(Movie.id.in_(stars), ~Movie.is_hidden)
            .where(~sa.exists().where(Rating.user_id == user_id, Rating.movie_id == Movie.id))
        )
        at = now()
        changes += [RatingChange(movie_id, stars[movie_id], at) for movie_id in db.session.scalars(unrated)]
        if not changes:
            # Without a change the generation must not go up, or the trained list would become stale.
            db.session.rollback()
    return len(changes)


def delete_rating(user_id: int, movie_id: int) -> tuple[float, datetime]:
    """Withdraw the user's rating; return its value in stars and its time. Does not commit.

    Raises:
        NotFound: the user has not rated this movie.
        UserNotFound: no user has this id.
    """
    with write_ratings(user_id) as changes:
        former = run(RATING, user=user_id, movie=movie_id).first()
        if former is None:
            raise NotFound("Rating not found")
        changes.append(RatingChange(movie_id))
    return former.value, former.timestamp


def check_value(value: float) -> None:
    """Raise InvalidInput unless the value is one of VALUES."""
    if isinstance(value, bool) or value not in VALUES:
        raise InvalidInput("value must be 0.5 to 5.0 stars, in halves.")


@contextlib.contextmanager
def write_ratings(user_id: int) -> Iterator[list[RatingChange]]:
    """Write the changes of one user's ratings that the block collects, and what derives from them. Does not commit.

    The user is locked before the block, so the ratings that it reads stay as they are until the commit. Each movie may
    be listed once. If the block raises, nothing is written, and the caller rolls back.

    Raises:
        UserNotFound: no user has this id.
    """
    count_change(user_id)
    changes: list[RatingChange] = []
    yield changes
    saved = [row for row in changes if row.value is not None]
    withdrawn = [row for row in changes if row.value is None]
    for statement, rows in ((upsert_from(ONE_CHANGE), saved), (DELETE_ONE, withdrawn), (NOTE_ONE, changes)):
        if rows:
            db.session.flush()
            parameters = [
                {"user": user_id, "movie": row.movie_id, "stars": row.value, "at": row.timestamp} for row in rows
            ]
            db.session.connection().execute(statement, parameters)
    movies.refresh_averages(row.movie_id for row in changes)


def count_change(user_id: int) -> None:
    """Increment the user's rating generation, which locks the row until the commit; raise UserNotFound."""
    if not run(COUNT_ONE, user=user_id).rowcount:
        raise UserNotFound


def move_ratings(old_movie_id: int, new_movie_id: int) -> None:
    """Give the ratings of one movie to another; of two by one user the later stays. Does not commit.

    The suggestions must have moved already.
    """
    raters = sa.select(ratings.c.user_id).where(ratings.c.movie_id == old_movie_id)
    lock_users(raters)
    run(count_changes_of(raters))
    other = ratings.alias("other")
    by_same_user = sa.exists().where(other.c.user_id == ratings.c.user_id)
    has_later = by_same_user.where(other.c.movie_id == new_movie_id, other.c.timestamp >= ratings.c.timestamp)
    has_old = by_same_user.where(other.c.movie_id == old_movie_id)
    run(sa.delete(ratings).where(ratings.c.movie_id == old_movie_id, has_later))
    run(sa.delete(ratings).where(ratings.c.movie_id == new_movie_id, has_old))
    run(sa.update(ratings).where(ratings.c.movie_id == old_movie_id).values(movie_id=new_movie_id))
    run(note_from(sa.select(ratings).where(ratings.c.movie_id == new_movie_id).subquery()))
    movies.refresh_averages([old_movie_id, new_movie_id])


def lock_users(user_ids: sa.Select[int] | sa.CompoundSelect[int]) -> None:
    """Lock these users until the commit, ordered by id; SQLite has a single writer anyway."""
    if db.session.get_bind().dialect.name == "postgresql":
        run(sa.select(users.c.id).where(users.c.id.in_(user_ids)).order_by(users.c.id).with_for_update(key_share=True))


def lock_user(user_id: int) -> None:
    """Lock one user until the commit; raise UserNotFound."""
    query = sa.select(users.c.id).where(users.c.id == user_id).with_for_update(key_share=True)
    if db.session.scalar(query) is None:
        raise UserNotFound


def analyze(*tables: str) -> None:
    """Refresh PostgreSQL's statistics of these tables.

    Statistics from before the first import say that the tables are empty, and such a query plan takes hours.
    """
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(sa.text(f"ANALYZE {', '.join(tables)}"))


def upsert_from(changes: sa.FromClause) -> sa.Insert:
    """Return the statement that inserts or replaces the ratings of this table of changes."""
    # WHERE true: SQLite would read ON as the beginning of a join condition.
    rows = sa.select(*(changes.c[name] for name in COLUMNS)).where(sa.true())
    insert = dialect_insert(ratings).from_select(COLUMNS, rows)
    replacement = {"value": insert.excluded.value, "timestamp": insert.excluded.timestamp}
    return insert.on_conflict_do_update(index_elements=["user_id", "movie_id"], set_=replacement)


def note_from(changes: sa.FromClause) -> sa.Update:
    """Return the statement that copies these changes to the suggestions of the same users and movies."""
    return (
        sa.update(suggestions)
        .where(suggestions.c.user_id == changes.c.user_id, suggestions.c.movie_id == changes.c.movie_id)
        .values(
            did_rate=changes.c.value.is_not(None),
            rating_value=changes.c.value,
            did_rate_timestamp=changes.c.timestamp,
        )
    )


def count_changes_of(user_ids: sa.Select[int]) -> sa.Update:
    """Return the statement that increments the rating generation of these users."""
    return sa.update(users).where(users.c.id.in_(user_ids)).values(rating_generation=users.c.rating_generation + 1)


def count_change_of_each(user_ids: sa.Select[int]) -> sa.Update:
    """Return the statement that increments the rating generation of these users and makes their lists due.

    The first rating on this site makes the list due, so that a worker computes it if this process dies before.
    """
    generation = sa.func.coalesce(users.c.list_rating_generation, users.c.rating_generation)
    return count_changes_of(user_ids).values(list_rating_generation=generation)


USER = sa.bindparam("user", type_=sa.Integer)
MOVIE = sa.bindparam("movie", type_=sa.Integer)
ONE_CHANGE = sa.select(
    USER.label("user_id"),
    MOVIE.label("movie_id"),
    sa.cast(sa.bindparam("stars"), sa.Double).label("value"),
    sa.bindparam("at", type_=UTCDateTime).label("timestamp"),
).subquery("change")
"A table of changes with one row, made of parameters."
COUNT_ONE = count_change_of_each(sa.select(USER))
NOTE_ONE = note_from(ONE_CHANGE)
DELETE_ONE = sa.delete(ratings).where(ratings.c.user_id == USER, ratings.c.movie_id == MOVIE)
RATING = sa.select(ratings.c.value, ratings.c.timestamp).where(ratings.c.user_id == USER, ratings.c.movie_id == MOVIE)
VISIBLE_MOVIE = (
    sa.select(Movie.id, Rating.value)
    .outerjoin(Rating, (Rating.user_id == USER) & (Rating.movie_id == Movie.id))
    .where(Movie.id == MOVIE, ~Movie.is_hidden)
)
"One row for a visible movie; `value` is NULL if the user has not rated it."
