"""Search of the visible movies by title and year, and what their filters can be."""

import re
from datetime import date
from typing import Any

import sqlalchemy as sa

from recsite.extensions import db
from recsite.movies.filters import EVERY_MOVIE, MovieFilter
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import Movie

SORTS = {
    "popular": "Popular",
    "unpopular": "Unpopular",
    "top-rated": "Top rated",
    "low-rated": "Low rated",
    "recent": "Recent",
    "old": "Old",
}
"The orders of `search`: value in the URL → label on the page."
ORDERS: dict[str, sa.UnaryExpression[Any]] = {
    "popular": Movie.rating_count.desc(),
    "unpopular": Movie.rating_count.asc(),
    "top-rated": Movie.score.desc().nulls_last(),
    "low-rated": Movie.score.asc().nulls_last(),
    "recent": Movie.release_date.desc().nulls_last(),
    "old": Movie.release_date.asc().nulls_last(),
}
MAX_WORDS = 10
"Words of a search that count. Each one scans every title."


def search(
    query: str | None,
    sort: str,
    page: int,
    per_page: int,
    only: MovieFilter = EVERY_MOVIE,
    pages_shown: int = 1,
) -> Page[Movie]:
    """Return one page of the visible movies that match `query` and pass the filter, in the order of SORTS.

    Ties are ordered by id. An empty query matches every movie; see `matches_query`.
    """
    matching = sa.select(Movie).where(~Movie.is_hidden, *only.conditions())
    if query:
        matching = matching.where(matches_query(query))
    return paginate(matching.order_by(ORDERS[sort], Movie.id), page, per_page, pages_shown=pages_shown)


def matches_query(query: str) -> sa.ColumnElement[bool]:
    """Return the condition that each of the first MAX_WORDS words matches; see `matches_word`."""
    return sa.and_(sa.true(), *(matches_word(word) for word in query.split()[:MAX_WORDS]))


def matches_word(word: str) -> sa.ColumnElement[bool]:
    """Return the condition that the title contains the word in any case or is the release year: 1999 or (1999)."""
    is_in_title = Movie.title.icontains(word, autoescape=True)
    year = re.fullmatch(r"\(?([12][0-9]{3})\)?", word, re.ASCII)
    if year is None:
        return is_in_title
    first_day = date(int(year[1]), 1, 1)
    return is_in_title | Movie.release_date.between(first_day, first_day.replace(month=12, day=31))


def genres() -> list[str]:
    """Return the genres of all visible movies in alphabetical order."""
    rows = db.session.scalars(sa.select(Movie.genres).where(~Movie.is_hidden).distinct())
    return sorted({name for row in rows for name in row.split("|") if name})


def decades() -> list[tuple[int, int]]:
    """Return the first and last year of each decade from the newest visible movie to the oldest, the newest first."""
    bounds = sa.select(sa.func.min(Movie.release_date), sa.func.max(Movie.release_date)).where(~Movie.is_hidden)
    oldest, newest = db.session.execute(bounds).one()
    if oldest is None or newest is None:
        return []
    return [(year, year + 9) for year in range(newest.year // 10 * 10, oldest.year // 10 * 10 - 1, -10)]
