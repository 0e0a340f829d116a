"""References to movies by the ids of others: `site:SKU-12`, `imdb:tt0113277`, `tmdb:949`, `movielens:6`.

This is the one home of their syntax and of their look-up, one or many at once.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from recsite.errors import InvalidInput, MovieNotFound
from recsite.storage.queries import in_blocks, run
from recsite.storage.tables import LARGEST_MOVIELENS_ID, MOVIE_ID_WITHOUT_TMDB, SITE_ID, Movie, MovieAlias

PATTERNS = {"site": SITE_ID, "imdb": r"tt[0-9]{5,10}", "tmdb": r"[1-9][0-9]{0,9}", "movielens": r"[1-9][0-9]{0,9}"}
"The ids of each kind."
PATTERN = "|".join(f"{kind}:{pattern}" for kind, pattern in PATTERNS.items())
IN_WORDS = "a movie's id with its kind, such as site:SKU-12, imdb:tt0113277, tmdb:949 or movielens:6"

movies: sa.Table = Movie.__table__
aliases: sa.Table = MovieAlias.__table__
COLUMNS: dict[str, sa.Column[Any]] = {
    "site": movies.c.site_id,
    "imdb": movies.c.imdb_id,
    "tmdb": movies.c.id,
    "movielens": movies.c.movielens_id,
}
LARGEST_NUMBERS = {"tmdb": MOVIE_ID_WITHOUT_TMDB - 1, "movielens": LARGEST_MOVIELENS_ID}


class Ref(NamedTuple):
    """A movie by an id of somebody else."""

    kind: str
    "A key of COLUMNS."
    value: str | int


class ExternalIds(NamedTuple):
    """The ids that others give to a movie; None where they are not known."""

    tmdb: int | None
    imdb: str | None
    movielens: int | None
    site: str | None


def parse(text: str) -> Ref:
    """Return the reference that this text spells; raise InvalidInput for any other text."""
    kind, _, value = text.partition(":")
    if kind not in PATTERNS or not re.fullmatch(PATTERNS[kind], value):
        raise InvalidInput(f"movie must be {IN_WORDS}.")
    if kind == "site":
        return Ref(kind, value)
    if kind == "imdb":
        # As imported ids are stored: at least seven digits.
        return Ref(kind, f"tt{value[2:]:0>7}")
    return Ref(kind, int(value))


def find_id(ref: Ref) -> int | None:
    """Return the id of the movie that is referred to, visible or hidden; None without one."""
    return find_ids([ref]).get(ref)


def require_id(text: str) -> int:
    """Return the id of the movie, visible or hidden, that this text refers to.

    Raises:
        InvalidInput: the text is no reference.
        MovieNotFound: there is no such movie.
    """
    found = find_id(parse(text))
    if found is None:
        raise MovieNotFound
    return found


def require_ids(named: Sequence[int | str]) -> list[int]:
    """Return the ids of these movies, visible or hidden, which are named by their ids or by references.

    Raises:
        InvalidInput: a text is no reference.
        MovieNotFound: there is no such movie; the error names it.
    """
    found = find_named(named)
    for each in named:
        if each not in found:
            raise MovieNotFound(each)
    return [found[each] for each in named]


def find_named(named: Collection[int | str]) -> dict[int | str, int]:
    """Return the ids of these movies, visible or hidden, by the ids and references that name them; unknown are missing.

    Raises:
        InvalidInput: a text is no reference.
    """
    refs = {text: parse(text) for text in named if isinstance(text, str)}
    by_ref = find_ids(refs.values())
    found: dict[int | str, int] = {text: by_ref[ref] for text, ref in refs.items() if ref in by_ref}
    for block in in_blocks(sorted({number for number in named if isinstance(number, int)})):
        found.update((movie_id, movie_id) for (movie_id,) in run(select_known(block)))
    return found


def select_known(movie_ids: Collection[int]) -> sa.Select[int]:
    """Return a query for those of the ids that are movies'."""
    return sa.select(movies.c.id).where(movies.c.id.in_(movie_ids))


def find_ids(refs: Collection[Ref]) -> dict[Ref, int]:
    """Return the ids of these movies, visible or hidden, with one query for 5,000 of a kind; unknown ones are missing.

    Of several movies with one id of somebody else, the one with the smallest id counts.
    """
    values: dict[str, set[str | int]] = {}
    for kind, value in refs:
        if is_possible(kind, value):
            values.setdefault(kind, set()).add(value)
    return {
        Ref(kind, row[0]): row[1]
        for kind, wanted in values.items()
        for block in in_blocks(list(wanted))
        for row in select_ids(kind, block)
    }


def select_ids(kind: str, values: Collection[str | int]) -> Sequence[Sequence[Any]]:
    """Return pairs of an id of this kind and the movie's id; of two with one id, the later counts."""
    column = COLUMNS[kind]
    found = run(sa.select(column, sa.func.min(movies.c.id)).where(column.in_(values)).group_by(column)).all()
    if kind != "movielens":
        return found
    others = sa.select(aliases.c.movielens_id, aliases.c.movie_id).where(aliases.c.movielens_id.in_(values))
    return [*run(others), *found]


def is_possible(kind: str, value: str | int) -> bool:
    """Return whether a movie may have this id: of larger numbers the movies' own ids are made."""
    return not isinstance(value, int) or value <= LARGEST_NUMBERS[kind]


def external_ids(movie_id: int, imdb_id: str | None, movielens_id: int | None, site_id: str | None) -> ExternalIds:
    """Return the ids of others from a movie's own columns."""
    return ExternalIds(movie_id if movie_id < MOVIE_ID_WITHOUT_TMDB else None, imdb_id, movielens_id, site_id)
