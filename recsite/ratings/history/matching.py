"""Which movie of the catalogue each entry means: by its id, else by title and year; never by a guess among several."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.history.reading import Entry
from recsite.storage.tables import Movie

ARTICLES = re.compile("(a|an|the|el|la|los|las|le|les|l|il|lo|gli|un|una|une|der|das|ein|eine|het) (?=.)")
"""Not all there are: "Die Hard" and "I, Robot" begin with none."""
LETTERS = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i", "&": " and ", "’": "'"})
"What has no accent to take off, and what people write in two ways."


class Known(NamedTuple):
    """A visible movie, as far as matching asks."""

    movie_id: int
    title: str
    year: int | None


@dataclass
class Matches:
    """What the entries of a file mean."""

    found: dict[int, Entry] = field(default_factory=dict)
    "By movie id."
    merged: int = 0
    "Entries that gave way to a later one about the same movie."
    nearly: int = 0
    "Movies found although the file says the year before or after."
    ambiguous: list[tuple[Entry, Sequence[Known]]] = field(default_factory=list)
    not_found: list[Entry] = field(default_factory=list)


class Catalogue:
    """The visible movies by everything that a file may name them by."""

    def __init__(self) -> None:
        self.by_id: dict[int, Known] = {}
        self.by_imdb_id: dict[str, Known] = {}
        self.by_movielens_id: dict[int, Known] = {}
        self.by_title: defaultdict[str, list[Known]] = defaultdict(list)
        self.by_bare_title: defaultdict[str, list[Known]] = defaultdict(list)
        columns = (Movie.id, Movie.title, Movie.release_date, Movie.imdb_id, Movie.movielens_id)
        rows = db.session.execute(sa.select(*columns).where(~Movie.is_hidden).order_by(Movie.id))
        for movie_id, title, released, imdb_id, movielens_id in rows:
            known = self.by_id[movie_id] = Known(movie_id, title, released.year if released else None)
            self.by_title[folded(title)].append(known)
            self.by_bare_title[without_article(folded(title))].append(known)
            if imdb_id:
                self.by_imdb_id[imdb_id] = known
            if movielens_id:
                self.by_movielens_id[movielens_id] = known

    def with_id_of(self, entry: Entry) -> Known | None:
        """The movie that one of the entry's ids names."""
        return (
            self.by_id.get(entry.own_id or 0)
            or self.by_imdb_id.get(entry.imdb_id or "")
            or self.by_movielens_id.get(entry.movielens_id or 0)
        )

    def with_title_of(self, entry: Entry) -> Sequence[Known]:
        """The movies of the entry's title: of its year, else of a year beside it; a missing article counts last."""
        if not entry.title:
            return ()
        title = folded(entry.title)
        same = (self.by_title.get(title, []), self.by_bare_title.get(without_article(title), []))
        if entry.year is None:
            return same[0] or same[1]
        for years_off in (0, 1):
            for some in same:
                found = [known for known in some if known.year and abs(known.year - entry.year) == years_off]
                if found:
                    return found
        return ()


def match(entries: Iterable[Entry]) -> Matches:
    """What each entry means. Of several about one movie the latest counts, of equally late ones the last."""
    catalogue, matches = Catalogue(), Matches()
    for entry in entries:
        by_id = catalogue.with_id_of(entry)
        candidates = [by_id] if by_id else catalogue.with_title_of(entry)
        if len(candidates) == 1:
            take(matches, entry, candidates[0])
            matches.nearly += not by_id and entry.year not in (None, candidates[0].year)
        elif candidates:
            matches.ambiguous.append((entry, candidates))
        else:
            matches.not_found.append(entry)
    return matches


def take(matches: Matches, entry: Entry, known: Known) -> None:
    """The entry is what the file says of this movie, unless an earlier row was of a later day."""
    other = matches.found.get(known.movie_id)
    matches.merged += other is not None
    if other is None or other.at is None or (entry.at is not None and entry.at >= other.at):
        matches.found[known.movie_id] = entry


def folded(title: str) -> str:
    """The title without what people write differently: case, accents, signs."""
    plain = unicodedata.normalize("NFKD", title).casefold().translate(LETTERS)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    # "L'Avventura" begins with an article, "Schindler's List" is one with "Schindlers List".
    plain = re.sub("^l'", "l ", plain).replace("'", "")
    return " ".join(re.findall(r"\w+", plain)) or title.casefold()


def without_article(title: str) -> str:
    """The folded title without an article that leads it."""
    return ARTICLES.sub("", title, count=1) if ARTICLES.match(title) else title
