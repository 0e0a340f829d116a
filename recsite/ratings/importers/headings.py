"""What the columns of a table mean, by the headings that data sets, exports and scripts give them."""

import re
from collections.abc import Mapping, Sequence

from recsite.errors import BrokenDataset

HEADINGS = {
    "user": "userid user uid username reviewerid customerid memberid visitorid personid usermd5 userhash critic "
    "reviewer",
    "tmdb": "tmdbid tmdb themoviedbid",
    "imdb": "imdbid imdb const tconst imdbtitleid imdburl",
    "movielens": "movielensid mlid",
    "site": "siteid",
    "movie": "movieid movie itemid item filmid film mid productid asin titleid contentid",
    # Beside one's own rating, "rating" is that of all.
    "rating": "yourrating yourated myrating userrating rating stars rating10 score value overall vote grade ratings "
    "movierating filmrating",
    "timestamp": "timestamp ratedat daterated watcheddate date time createdat ts unixtimestamp unixreviewtime "
    "lastwatchedat watchedat datetime reviewtime updatedat created ratingtime ratingtimestamp ratingdate reviewdate",
    "title": "title name movietitle filmtitle primarytitle originaltitle",
    "year": "year releaseyear startyear",
    "released": "releasedate released",
    "type": "titletype type",
    "uri": "letterboxduri",
}
"Headings by meaning, the likeliest first, as `normalize` writes them."
OTHER_THINGS = {"isbn": "books", "isbn13": "books", "bookid": "books", "animeid": "series of anime", "songid": "songs"}
"Headings by which a table is not one of films, whatever titles it has."
ID_KINDS = ("tmdb", "imdb", "movielens", "site")
MOVIE_COLUMNS = (*ID_KINDS, "movie", "title", "year", "released", "type", "uri")
"The columns that identify a movie."


def normalize(name: str) -> str:
    """Return a heading without case, blanks, hyphens and underscores: 'User ID', user_id and userId are equal."""
    return re.sub(r"[\s_.\-]+", "", name.replace("\ufeff", "").casefold())


def find_columns(header: Sequence[str]) -> dict[str, int]:
    """Return the position of the column for each meaning that the header has.

    'movieId', as MovieLens writes it, has MovieLens' ids beside 'userId' and in a file without users.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(header):
        positions.setdefault(normalize(name), position)
    found = {
        meaning: positions[name]
        for meaning, headings in HEADINGS.items()
        for name in reversed(headings.split())
        if name in positions
    }
    names = {name.strip() for name in header}
    if "movielens" not in found and "movieId" in names and ("userId" in names or "user" not in found):
        found["movielens"] = found.pop("movie")
    return found


def check_headings(header: Sequence[str], name: str) -> None:
    """Raise BrokenDataset if the table is of other things, or two columns have one heading that counts."""
    names = [normalize(heading) for heading in header]
    other = next((things for heading, things in OTHER_THINGS.items() if heading in names), None)
    if other:
        raise BrokenDataset(f"{name} has ratings of {other}, not of films.")
    for meaning, place in find_columns(header).items():
        if names.count(names[place]) > 1 and meaning not in ("title", "year", "released", "type"):
            raise BrokenDataset(
                f"{name} has {names.count(names[place])} columns named {header[place]!r}; give those that do not count "
                "other names, or remove them."
            )


def has_movie(columns: Mapping[str, int]) -> bool:
    """Return whether one of the columns can identify a movie."""
    return any(kind in columns for kind in (*ID_KINDS, "movie", "title"))
