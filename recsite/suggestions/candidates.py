"""The movies that lists are made of, with what a version knows of them: read once, shared by all requests."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import sqlalchemy as sa
from flask import current_app
from numpy.typing import NDArray

from recsite.ml.places import Places
from recsite.ml.rating import FloatArray, IntArray, RatingModel, rows_of
from recsite.ml.topn import spread
from recsite.storage.arrays import read_table
from recsite.storage.queries import run
from recsite.storage.tables import Counter, Movie
from recsite.versions.active import LoadedVersion

CATALOG_GENERATION = sa.select(Counter.value).where(Counter.name == "catalog")


@dataclass(frozen=True)
class Candidates:
    """The movies that a list may show, with what the version knows of them; a tie goes to the earlier column."""

    catalog_generation: int
    movie_ids: IntArray
    "Covered by the ranker first, then by score (the best first), then by id; shape (n,)."
    bi: FloatArray
    "Movie offsets in stars, shape (n,)."
    qi: FloatArray
    "Movie factors, shape (n, n_factors)."
    ranked: int
    "How many of the first columns the ranker orders; 0 where values order the list."
    by_value: IntArray
    "The columns that the ranker does not order, shape (n - ranked,), spread so that good ones are no neighbours."
    fast: NDArray[np.float32]
    "[q_i | b_i] of those, shape (n_factors + 1, n - ranked): [p_u, 1] times this orders them by unclipped value."
    ranker_columns: IntArray
    "The column of each of the ranker's rows; -1 for a movie that is no candidate."
    columns: Places
    "The column of each movie."
    places_by_value: Places
    "The place of each movie in `by_value`."

    def columns_of(self, movie_ids: IntArray) -> IntArray:
        """The columns of these movies, without those that are no candidates."""
        columns = self.columns.find(movie_ids)
        return columns[columns >= 0]

    @classmethod
    def arrange(cls, model: RatingModel, ranked_ids: IntArray, movie_ids: IntArray, generation: int) -> "Candidates":
        """These movies, the best score first, of which a ranker orders `ranked_ids` (in the order of its rows)."""
        ranked = rows_of(movie_ids, ranked_ids)
        covered_first = np.argsort(ranked < 0, kind="stable")
        movie_ids, ranked = movie_ids[covered_first], ranked[covered_first]
        bi, qi = model.movies(movie_ids)
        n_ranked = int((ranked >= 0).sum())
        ranker_columns = np.full(len(ranked_ids), -1)
        ranker_columns[ranked[:n_ranked]] = np.arange(n_ranked)
        by_value = n_ranked + spread(len(movie_ids) - n_ranked)
        return cls(
            catalog_generation=generation,
            movie_ids=movie_ids,
            bi=bi,
            qi=qi,
            ranked=n_ranked,
            ranker_columns=ranker_columns,
            by_value=by_value,
            fast=np.ascontiguousarray(np.column_stack((qi, bi))[by_value].T, dtype=np.float32),
            columns=Places.of(movie_ids),
            places_by_value=Places.of(movie_ids[by_value]),
        )


_candidates: WeakKeyDictionary[LoadedVersion, Candidates] = WeakKeyDictionary()
"The last snapshot for each loaded version; it goes away with the version."


def catalog_generation() -> int:
    """The number that goes up with every change of a movie that a list could show."""
    return run(CATALOG_GENERATION).scalar() or 0


def find_candidates(version: LoadedVersion, generation: int) -> Candidates:
    """The visible movies at this catalogue generation, read once for each generation and version."""
    known = _candidates.get(version)
    if known is None or known.catalog_generation != generation:
        known = _candidates[version] = read_candidates(version, generation)
    return known


def read_candidates(version: LoadedVersion, generation: int) -> Candidates:
    """The visible movies as the database has them now."""
    query = sa.select(Movie.id).where(~Movie.is_hidden).order_by(Movie.score.desc().nulls_last(), Movie.id)
    movie_ids = read_table(query)[:, 0].astype(np.int64)
    opened = version.opened
    by_value_alone = current_app.config["RANKING"] == "value"
    return Candidates.arrange(
        opened.model, opened.ranker.movie_ids[:0] if by_value_alone else opened.ranker.movie_ids, movie_ids, generation
    )
