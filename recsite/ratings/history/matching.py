"""Matching of a file's entries with the catalogue: by id, else by title and year.

Titles are compared in steps, from equal ones to those that share a name in brackets or the part before a colon; the
first step that finds a movie counts. An entry that fits several movies there is ambiguous and matches none.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from recsite.extensions import db
from recsite.ratings.history.reading import Entry
from recsite.ratings.importers import movie_rows
from recsite.ratings.importers.titles import Film, agree, normalize_title
from recsite.storage.tables import Movie

ARTICLES = re.compile("(a|an|the|el|la|los|las|le|les|l|il|lo|gli|un|una|une|der|das|ein|eine|het) (?=.)")
"""Leading articles that titles may lack; "die" and "i" are none, because of "Die Hard" and "I, Robot"."""
BRACKETS = re.compile(r"\(([^()]*)\)")
AKA = re.compile(r"^(?:a\.?k\.?a\.?|also known as)\s+", re.IGNORECASE)
HEAD = re.compile(r"\s*(?:[:;]| - | – )\s*")
"Stands between a title and its subtitle."
ROMAN = ("ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
WORDS = {
    **{numeral: str(number) for number, numeral in enumerate(ROMAN, 2)},
    **{word: str(number) for number, word in enumerate(ENGLISH, 1)},
    **{"vs": "versus", "vol": "volume", "pt": "part", "dr": "doctor", "mr": "mister", "st": "saint"},
    **{"blvd": "boulevard", "episode": "", "part": "", "chapter": "", "volume": "", "and": "", "the": ""},
}
"The spelling that `fold` puts in place of these words; it leaves out those with an empty one."


class KnownMovie(NamedTuple):
    """The part of a visible movie that matching needs."""

    movie_id: int
    title: str
    year: int | None

    @property
    def film(self) -> Film:
        """Return title and year for comparisons."""
        return Film(self.title, self.year)


@dataclass
class Matches:
    """The result of matching a file."""

    found: dict[int, Entry] = field(default_factory=dict)
    "Matched entries by movie id."
    merged: int = 0
    "Entries dropped in favour of a later one for the same movie."
    nearly: int = 0
    "Movies matched although the year differs by one or is missing on one side, or by a part of the title."
    ambiguous: list[tuple[Entry, Sequence[KnownMovie]]] = field(default_factory=list)
    "Entries that fit several movies, with those movies."
    not_found: list[Entry] = field(default_factory=list)


def exact(title: str) -> set[str]:
    """Return the normalized title."""
    return {normalize_title(title)}


def without_article(title: str) -> set[str]:
    """Return the title without a leading article."""
    return {remove_article(normalize_title(title))}


def names(title: str) -> set[str]:
    """Return the names in and before brackets, joined and with numerals in one spelling."""
    before = BRACKETS.sub(" ", title).strip()
    given = [before, *(AKA.sub("", name.strip()) for name in BRACKETS.findall(title))]
    return {folded for name in given if len(folded := fold(name)) > 1}


def head(title: str) -> set[str]:
    """Return the names before a colon or dash."""
    return {fold(HEAD.split(BRACKETS.sub(" ", title).strip(), maxsplit=1)[0])} - {""}


def fold(title: str) -> str:
    """Return the title as one word: 'WALL·E' and 'Wall E', 'Rocky II' and 'Rocky 2' are equal."""
    words = remove_article(normalize_title(title)).split()
    folded = "".join(WORDS.get(word, word) if place else word for place, word in enumerate(words))
    return folded or "".join(words)


KEYS: tuple[Callable[[str], set[str]], ...] = (exact, without_article, names)
"The comparisons, the strictest first. `head` follows where none of them finds a movie."


class MovieIndex:
    """The visible movies, indexed by each kind of id and by each form of the title."""

    def __init__(self) -> None:
        self.by_id: dict[int, KnownMovie] = {}
        self.by_imdb_id: dict[str, KnownMovie] = {}
        self.by_title: dict[Callable[[str], set[str]], defaultdict[str, list[KnownMovie]]] = {
            keys: defaultdict(list) for keys in (*KEYS, head)
        }
        columns = (Movie.id, Movie.title, Movie.release_date, Movie.imdb_id)
        rows = db.session.execute(sa.select(*columns).where(~Movie.is_hidden).order_by(Movie.id))
        for movie_id, title, released, imdb_id in rows:
            movie = self.by_id[movie_id] = KnownMovie(movie_id, title, released.year if released else None)
            for keys, index in self.by_title.items():
                for key in keys(title):
                    index[key].append(movie)
            if imdb_id:
                self.by_imdb_id[imdb_id] = movie
        self.by_movielens_id = {
            number: self.by_id[movie_id]
            for number, movie_id in movie_rows.ids_by_movielens_id().items()
            if movie_id in self.by_id
        }

    def find(self, entry: Entry) -> Sequence[KnownMovie]:
        """Return the movies that the entry may mean; one is certain.

        A movie with the entry's id counts unless title and year name another one: ids of series and other numberings
        stand in such columns, too.
        """
        by_id = [
            self.by_id.get(entry.own_id or 0),
            self.by_imdb_id.get(entry.imdb_id or ""),
            self.by_movielens_id.get(entry.movielens_id or 0),
        ]
        named = list(dict.fromkeys(movie for movie in by_id if movie))
        fitting = [movie for movie in named if not entry.title or self.fits(entry, movie)]
        if fitting or not entry.title:
            return fitting or named
        found = self.find_by_title(entry.title, entry.year)
        return [*found, *named] if found and named else found

    def fits(self, entry: Entry, movie: KnownMovie) -> bool:
        """Return whether the movie with the entry's id may be the one that its title and year name.

        Without a year on one side, a number needs a title that is alike; IMDb's ids are no other site's.
        """
        if None not in (entry.year, movie.year) or movie is self.by_imdb_id.get(entry.imdb_id or ""):
            return agree(Film(entry.title, entry.year), movie.film)
        return any(keys(entry.title) & keys(movie.title) for keys in (*KEYS, head))

    def find_by_title(self, title: str, year: int | None) -> Sequence[KnownMovie]:
        """Return the movies of the first comparison that finds any."""
        if year is None:
            return next((found for keys in KEYS if (found := self.lookup(keys, title))), [])
        for difference in (0, 1):
            for keys in KEYS:
                found = [each for each in self.lookup(keys, title) if each.year and abs(each.year - year) == difference]
                if found:
                    return found
        undated = next((found for keys in KEYS if (found := self.lookup(keys, title))), [])
        if undated and all(movie.year is None for movie in undated):
            return undated
        return self.find_by_part(title, year)

    def find_by_part(self, title: str, year: int) -> Sequence[KnownMovie]:
        """Return the movies of this very year whose title is the part before the other's colon."""
        whole = {movie for key in head(title) for movie in self.by_title[names].get(key, [])}
        part = {movie for key in names(title) for movie in self.by_title[head].get(key, [])}
        return sorted(movie for movie in whole | part if movie.year == year)

    def lookup(self, keys: Callable[[str], set[str]], title: str) -> list[KnownMovie]:
        """Return the movies that share a key with the title, each once, by id."""
        return sorted({movie for key in keys(title) for movie in self.by_title[keys].get(key, [])})


def match(entries: Sequence[Entry]) -> Matches:
    """Match each entry with a movie; of several for one movie the latest counts, of equally late ones the last."""
    index, matches = MovieIndex(), Matches()
    namesakes = find_namesakes(entries)
    for entry in entries:
        candidates = index.find(entry)
        if len(candidates) == 1 and entry.label not in namesakes:
            movie = candidates[0]
            add_match(matches, entry, movie)
            has_id = movie.movie_id == entry.own_id or entry.imdb_id or entry.movielens_id
            matches.nearly += not has_id and entry.year not in (None, movie.year)
        elif candidates:
            matches.ambiguous.append((entry, candidates))
        else:
            matches.not_found.append(entry)
    return matches


def find_namesakes(entries: Iterable[Entry]) -> set[str]:
    """Return the titles with year that two films have, by their addresses."""
    addresses: defaultdict[str, set[str]] = defaultdict(set)
    for entry in entries:
        if entry.uri and entry.title:
            addresses[entry.label].add(entry.uri)
    return {label for label, uris in addresses.items() if len(uris) > 1}


def add_match(matches: Matches, entry: Entry, movie: KnownMovie) -> None:
    """Record the entry for this movie, unless an earlier one has a later time."""
    other = matches.found.get(movie.movie_id)
    matches.merged += other is not None
    if other is None or other.at is None or (entry.at is not None and entry.at >= other.at):
        matches.found[movie.movie_id] = entry


def remove_article(title: str) -> str:
    """Return the normalized title without a leading article."""
    return ARTICLES.sub("", title, count=1) if ARTICLES.match(title) else title
