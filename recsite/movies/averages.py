"""The movies: finding them, their averages, and the counter that says that a list of movies may have changed."""

import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa

from recsite.errors import MovieNotFound
from recsite.extensions import db
from recsite.storage.paging import Page
from recsite.storage.queries import dialect_insert, run
from recsite.storage.tables import Counter, Movie, Rating

T = TypeVar("T")

SORTS = {
    "popular": "Popular",
    "unpopular": "Unpopular",
    "top-rated": "Top rated",
    "low-rated": "Low rated",
    "recent": "Recent",
    "old": "Old",
}
"The orders of `search`, by their word in a URL."
ORDERS: dict[str, sa.UnaryExpression[Any]] = {
    "popular": Movie.rating_count.desc(),
    "unpopular": Movie.rating_count.asc(),
    "top-rated": Movie.score.desc().nulls_last(),
    "low-rated": Movie.score.asc().nulls_last(),
    "recent": Movie.release_date.desc().nulls_last(),
    "old": Movie.release_date.asc().nulls_last(),
}

PRIOR_RATINGS = 25
"""A movie's score counts as if this many people more had given it the mean of all ratings.

With far fewer, a single five-star rating leads the list; with far more, a well loved rarity never comes up.
"""
HALF_STARS = sa.func.round(Movie.rating_avg * Movie.rating_count * 2)
"""The sum of a movie's ratings. Rounded to the whole number that it is, the mean is the same in any order of summing;
else every refresh would find scores that differ in the sixteenth digit."""
MOST_WORDS = 10
"Of a search; each is a look at every title."
MOVIES_A_STATEMENT = 5000
"SQLite takes at most 32,766 parameters in one statement."


def counts_update(some: sa.ColumnElement[bool]) -> sa.Update:
    """Makes count and average of some movies those of their ratings; meets the rows that change."""
    count = sa.func.count(Rating.value)
    fresh = (
        sa.select(
            Movie.id,
            count.label("rating_count"),
            (sa.func.sum(Rating.value) / sa.func.nullif(count, 0)).label("rating_avg"),
        )
        .outerjoin(Rating, Rating.movie_id == Movie.id)
        .where(some)
        .group_by(Movie.id)
        .subquery()
    )
    stale = (Movie.rating_count != fresh.c.rating_count) | Movie.rating_avg.is_distinct_from(fresh.c.rating_avg)
    return (
        sa.update(Movie)
        .where(Movie.id == fresh.c.id, stale)
        .values(rating_count=fresh.c.rating_count, rating_avg=fresh.c.rating_avg)
    )


def scores_update(some: sa.ColumnElement[bool]) -> sa.Update:
    """Makes the score of some movies follow from count, average and `mean`; meets the rows that change."""
    prior = PRIOR_RATINGS * sa.bindparam("mean", type_=sa.Float)
    score = (HALF_STARS / 2 + prior) / (Movie.rating_count + PRIOR_RATINGS)
    return sa.update(Movie).where(some, Movie.score.is_distinct_from(score)).values(score=score)


THESE = Movie.id.in_(sa.bindparam("ids", expanding=True))
COUNTS_OF_ALL, COUNTS_OF_SOME = counts_update(sa.true()), counts_update(THESE)
SCORES_OF_ALL, SCORES_OF_SOME = scores_update(sa.true()), scores_update(THESE)
TOTALS = sa.select(Counter.name, Counter.value).where(Counter.name.in_(("half_stars", "ratings")))
# Whoever inserted a rating holds the movie's key already, for the foreign key: a lock on the key as well would make two
# of them wait for each other for ever.
LOCK = sa.select(Movie.id).where(THESE).order_by(Movie.id).with_for_update(key_share=True)


def refresh_averages(movie_ids: Iterable[int] | None = None) -> bool:
    """`rating_count`, `rating_avg` and `score` of these movies (None: of all) are what the ratings say.

    score = (sum of stars + PRIOR_RATINGS · m) / (count + PRIOR_RATINGS), where m is the mean of all ratings; null, as
    is `rating_avg`, without ratings. m is that of the last refresh of all, so that one movie costs no look at others.
    Returns whether anything changed. Does not commit.

    A refresh of all bumps the catalog. One of some does not: a rating moves a movie's place among the popular ones by
    little, and would make every user's list stale.
    """
    if movie_ids is None:
        counts_changed = run(COUNTS_OF_ALL).rowcount > 0
        if counts_changed and db.engine.dialect.name != "sqlite":
            # Whoever rated one of these movies between the count and the hold of its row was overlooked. Now the rows
            # are held, and this count is of all that came before. SQLite has one writer anyway.
            run(COUNTS_OF_ALL)
        # A new mean of all ratings moves scores where no rating changed.
        scores_changed = run(SCORES_OF_ALL, mean=mean_of(*save_totals())).rowcount > 0
        if counts_changed or scores_changed:
            bump()
        return counts_changed or scores_changed
    ids, changed = sorted(set(movie_ids)), 0
    for start in range(0, len(ids), MOVIES_A_STATEMENT):
        some = ids[start : start + MOVIES_A_STATEMENT]
        lock(some)
        changed += run(COUNTS_OF_SOME, ids=some).rowcount
        changed += run(SCORES_OF_SOME, ids=some, mean=mean_of(*(find_totals() or save_totals()))).rowcount
    return changed > 0


def refresh_all() -> bool:
    """Every movie's averages and score are what the ratings say; returns whether anything changed."""
    changed = refresh_averages()
    db.session.commit()
    return changed


def lock(movie_ids: Sequence[int]) -> None:
    """Hold these movies' rows until the commit.

    Of two ratings of one movie at the same time the second waits here, and then counts the first one too. One order of
    locking keeps two refreshes from waiting for each other. SQLite has one writer anyway.
    """
    if db.engine.dialect.name != "sqlite":
        run(LOCK, ids=movie_ids)


def mean_of(half_stars: int, count: int) -> float:
    """The mean in stars of this many ratings; 0 for none."""
    return half_stars / 2 / count if count else 0.0


def save_totals() -> tuple[int, int]:
    """Keep the sum of all ratings, in half stars, and their number, by the movies' averages; returns both."""
    totals = sa.select(sa.func.sum(HALF_STARS), sa.func.sum(Movie.rating_count)).where(Movie.rating_count > 0)
    half_stars, count = (int(total or 0) for total in db.session.execute(totals).one())
    for name, value in (("half_stars", half_stars), ("ratings", count)):
        new = dialect_insert(Counter.__table__).values(name=name, value=value)
        db.session.execute(new.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
    return half_stars, count


def find_totals() -> tuple[int, int] | None:
    """What `save_totals` kept last, or None."""
    kept = {row.name: row.value for row in run(TOTALS)}
    return (kept["half_stars"], kept["ratings"]) if kept else None


def bump() -> None:
    """The catalog's counter has gone up by one: lists of movies that were made before are stale. Does not commit."""
    # A database made anew begins anywhere, so that it does not meet what a cache kept of the one before.
    first = dialect_insert(Counter.__table__).values(name="catalog", value=secrets.randbelow(1_000_000_000) + 1)
    db.session.execute(first.on_conflict_do_update(index_elements=["name"], set_={"value": Counter.value + 1}))


def search(
    query: str | None, genre: str | None, sort: str, page: int, per_page: int, pages_shown: int = 1
) -> Page[Movie]:
    """The visible movies that fit `query` (see `fits`), of this genre, in the order of SORTS; ties go by id."""
    found = sa.select(Movie).where(~Movie.is_hidden)
    if query:
        found = found.where(fits(query))
    if genre:
        found = found.where(has_genre(genre))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
    some = found.order_by(ORDERS[sort], Movie.id).limit(per_page * pages_shown).offset((page - 1) * per_page)
    return Page(db.session.scalars(some).all(), page, per_page, total, pages_shown)


def fits(query: str) -> sa.ColumnElement[bool]:
    """Whether every word of the query is part of the title, in any case; a year may be that of the release instead."""
    return sa.and_(sa.true(), *(word_fits(word) for word in query.split()[:MOST_WORDS]))


def word_fits(word: str) -> sa.ColumnElement[bool]:
    """Whether a title has this word, or the release this year, in brackets or not."""
    is_in_title = Movie.title.icontains(word, autoescape=True)
    year = re.fullmatch(r"\(?([12][0-9]{3})\)?", word, re.ASCII)
    if year is None:
        return is_in_title
    first_day = date(int(year[1]), 1, 1)
    return is_in_title | Movie.release_date.between(first_day, first_day.replace(month=12, day=31))


def has_genre(genre: str) -> sa.ColumnElement[bool]:
    """Whether a movie has this genre, by its whole name in any case."""
    return ("|" + Movie.genres + "|").icontains(f"|{genre}|", autoescape=True)


def find_movie(movie_id: int, even_hidden: bool = False) -> Movie:
    """The movie of this id, if it is visible or `even_hidden` ones will do; raises MovieNotFound."""
    movie = db.session.get(Movie, movie_id)
    if movie is None or (movie.is_hidden and not even_hidden):
        raise MovieNotFound
    return movie


def hide(movie_id: int) -> None:
    """The movie is in no list any more, and its page is gone but for admins; raises MovieNotFound."""
    set_hidden(movie_id, True)


def show(movie_id: int) -> None:
    """The movie is there again for everybody; raises MovieNotFound."""
    set_hidden(movie_id, False)


def set_hidden(movie_id: int, is_hidden: bool) -> None:
    """Hide or show, count up the catalog for the lists that were made before, and commit."""
    if not run(sa.update(Movie).where(Movie.id == movie_id).values(is_hidden=is_hidden)).rowcount:
        db.session.rollback()
        raise MovieNotFound
    bump()
    db.session.commit()


def popular(limit: int, exclude: Collection[int] = ()) -> Sequence[Movie]:
    """The visible movies of the highest score, without those to exclude."""
    query = sa.select(Movie).where(~Movie.is_hidden, Movie.id.not_in(exclude)).order_by(ORDERS["top-rated"], Movie.id)
    return db.session.scalars(query.limit(limit)).all()


def genres() -> list[str]:
    """The name of every genre that a visible movie has, in alphabetical order."""
    rows = db.session.scalars(sa.select(Movie.genres).where(~Movie.is_hidden).distinct())
    return sorted({name for row in rows for name in row.split("|") if name})
