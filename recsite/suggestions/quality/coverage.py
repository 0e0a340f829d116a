"""The coverage of the catalogue by the lists: the movies that are in no list, and those that are in too many.

A measurement reads every list, so a job takes one a day and when an admin asks; pages read the stored measurements.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from recsite.extensions import db
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import ModelVersion, Movie, MovieReach, ReachMeasure, Suggestion

WIDESPREAD_SHARE = 0.3
"A movie in the lists of more than this share of the users is widespread: it is no personal suggestion."
FIRST_PLACES = 10
"Ranks that count as the top of a list."
MEASURES_SHOWN = 30
"Number of measurements that a page shows."


def measure() -> ReachMeasure:
    """Count the lists that show each movie, store and commit the measurement, and return it.

    All reads come before the first write, so that SQLite's write lock is held for a short time.
    """
    visible = set(db.session.scalars(sa.select(Movie.id).where(~Movie.is_hidden)))
    listed = (Suggestion.active, ~Suggestion.did_rate)
    first = sa.case((Suggestion.rank <= FIRST_PLACES, 1), else_=0)
    counted = db.session.execute(
        sa.select(Suggestion.movie_id, sa.func.count(), sa.func.sum(first)).where(*listed).group_by(Suggestion.movie_id)
    )
    movies = [
        {"movie_id": movie_id, "lists": lists, "first_ten": first_ten}
        for movie_id, lists, first_ten in counted
        if movie_id in visible
    ]
    users = db.session.scalar(sa.select(sa.func.count(Suggestion.user_id.distinct())).where(*listed)) or 0
    active_id = db.session.scalar(sa.select(ModelVersion.id).where(ModelVersion.is_active))
    db.session.rollback()
    found = ReachMeasure(
        model_version_id=active_id,
        users=users,
        places=sum(movie["lists"] for movie in movies),
        movies=len(visible),
        suggested=len(movies),
        first_ten=sum(movie["first_ten"] > 0 for movie in movies),
        widespread=sum(movie["lists"] > WIDESPREAD_SHARE * users for movie in movies),
    )
    db.session.execute(sa.delete(MovieReach))
    if movies:
        db.session.execute(sa.insert(MovieReach), movies)
    db.session.add(found)
    db.session.commit()
    return found


def measures() -> Sequence[ReachMeasure]:
    """Return the last `MEASURES_SHOWN` measurements, the newest first."""
    newest = sa.select(ReachMeasure).order_by(ReachMeasure.id.desc()).limit(MEASURES_SHOWN)
    return db.session.scalars(newest).all()


def last_measure() -> ReachMeasure | None:
    """Return the newest measurement; None before the first."""
    return db.session.scalar(sa.select(ReachMeasure).order_by(ReachMeasure.id.desc()).limit(1))


def most_suggested(limit: int) -> Sequence[sa.Row[int, str, int, int, int]]:
    """Return the `limit` movies that are in most lists by the last measurement, the most listed first.

    A row has movie_id, title, rating_count, and the numbers of lists and of lists with it among their first_ten.
    """
    query = (
        sa.select(MovieReach.movie_id, Movie.title, Movie.rating_count, MovieReach.lists, MovieReach.first_ten)
        .join(Movie, MovieReach.movie_id == Movie.id)
        .order_by(MovieReach.lists.desc(), Movie.id)
    )
    return db.session.execute(query.limit(limit)).all()


def never_suggested(page: int, per_page: int) -> Page[Movie]:
    """Return a page of the visible movies that were in no list at the last measurement, the most rated first."""
    found = sa.select(Movie).where(~Movie.is_hidden, ~sa.exists().where(MovieReach.movie_id == Movie.id))
    return paginate(found.order_by(Movie.rating_count.desc(), Movie.id), page, per_page)
