"""Ratings that a site sends for its users, thousands at once: `/api/ratings/batch`."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from typing import Annotated

import msgspec
from flask import Response
from msgspec import UNSET, Meta, UnsetType

from recsite.extensions import csrf
from recsite.suggestions.rating_batches import NamedRating, rate_many
from recsite.web.api.answers import json_answer
from recsite.web.api.endpoints import bp
from recsite.web.api.operations import operation
from recsite.web.api.rows import MOST_ROWS, RefusedJson, Rows, SavedJson, refused_as_json
from recsite.web.api.schema import MovieId, MovieRef, SiteUser, Stars, Timestamp, UserId


class RatingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rating. A `user` who is not stored yet is created; `value` null withdraws the rating."""

    user_id: UserId | UnsetType = UNSET
    user: SiteUser | UnsetType = UNSET
    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET
    value: Stars | None
    timestamp: Timestamp | UnsetType | None = UNSET


class RatingsBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /api/ratings/batch`. Rows that do not fit are listed in the answer by their index."""

    ratings: Annotated[
        tuple[RatingRow, ...],
        Meta(
            max_length=MOST_ROWS,
            description="Of several rows for one user and movie the last counts.",
            examples=[[{"user": "cust-42", "movie": "imdb:tt0113277", "value": 4.5, "timestamp": 1_700_000_000}]],
        ),
    ]


@bp.post("/ratings/batch", strict_slashes=False)
@csrf.exempt
@operation(
    who="site",
    scope="ratings:write",
    not_found="User",
    answers={200: SavedJson},
    example=SavedJson(1, 0, 0, 0, [RefusedJson(1, "There is no movie imdb:tt0000001.")]),
    batch=RatingsBatch,
)
def rate_movies(rows: Rows[RatingRow]) -> Response:
    """Save up to 10,000 ratings of many users. Good rows are saved in one transaction, the others are listed.

    Sending a batch again changes nothing. The body may also be NDJSON (application/x-ndjson): one row a line.
    """
    counts, refused = rate_many({index: named(row) for index, row in rows.good.items()})
    return json_answer(SavedJson(*counts, refused_as_json(rows.refused, refused)))


def named(row: RatingRow) -> NamedRating:
    """Return the row as `rate_many` takes it."""
    at = row.timestamp if isinstance(row.timestamp, int) else None
    return NamedRating(row.user or row.user_id or 0, row.movie or row.movie_id or 0, row.value, at)
