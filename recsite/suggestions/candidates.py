"""The movies that lists are made of, read once for each catalogue generation and version."""

from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.ml.candidates import Candidates
from recsite.storage.arrays import read_table
from recsite.storage.queries import run
from recsite.storage.tables import Counter, Movie
from recsite.versions.active import LoadedVersion

CATALOG_GENERATION = sa.select(Counter.value).where(Counter.name == "catalog")

_candidates: WeakKeyDictionary[LoadedVersion, tuple[int, Candidates]] = WeakKeyDictionary()
"The last catalogue generation and its candidates for each loaded version; an entry goes away with the version."


def catalog_generation() -> int:
    """Return the number that goes up with every change of a movie that a list could show."""
    return run(CATALOG_GENERATION).scalar() or 0


def find_candidates(version: LoadedVersion, generation: int) -> Candidates:
    """Return the visible movies at this catalogue generation; all requests of the process share them."""
    known, candidates = _candidates.get(version, (None, None))
    if candidates is None or known != generation:
        candidates = read_candidates(version)
        _candidates[version] = (generation, candidates)
    return candidates


def stands_low(value: float | None) -> bool:
    """Return whether a movie with this predicted rating in stars stands behind all others; False for None."""
    settings = current_app.config
    return value is not None and settings["RANKING"] == "ease" and value < settings["RANKER_FLOOR"]


def read_candidates(version: LoadedVersion) -> Candidates:
    """Read the visible movies from the database; ties go to the better score, then to the lower id."""
    query = sa.select(Movie.id).where(~Movie.is_hidden).order_by(Movie.score.desc().nulls_last(), Movie.id)
    movie_ids = read_table(query)[:, 0].astype(np.int64)
    ranked_ids = version.opened.ranker.movies.ids
    if current_app.config["RANKING"] == "value":
        ranked_ids = ranked_ids[:0]
    return Candidates.arrange(version.opened.model, ranked_ids, movie_ids, current_app.config["RANKER_FLOOR"])
