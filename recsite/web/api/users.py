"""Users of a site: `DELETE /api/users`, and `/api/dismissals`, the movies that somebody does not want to see."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

from typing import Annotated

import msgspec
from flask import Response, url_for
from msgspec import UNSET, Meta, UnsetType
from werkzeug.exceptions import Forbidden

from recsite import jobs, suggestions
from recsite.accounts import erasure, site_ids
from recsite.errors import UserNotFound
from recsite.extensions import csrf, db
from recsite.storage.tables import User
from recsite.web.api.answers import json_answer
from recsite.web.api.endpoints import bp
from recsite.web.api.operations import add_user, find_movie_id, operation
from recsite.web.api.schema import MovieId, MovieRef, OfAuthor, SiteUser, UserId
from recsite.web.request import access


class SiteUserQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `DELETE /api/users`."""

    user: SiteUser


class ErasedJson(msgspec.Struct):
    """What was deleted of a user."""

    user_id: int
    receipt: Annotated[list[str], Meta(description="What was removed and what was not, in sentences.")]
    receipt_url: Annotated[str, Meta(description="The page of the receipt, for whoever knows this address.")]


class NewDismissal(OfAuthor, frozen=True, kw_only=True):
    """The body of `POST /api/dismissals`."""

    movie_id: MovieId | UnsetType = UNSET
    movie: MovieRef | UnsetType = UNSET


class DismissedJson(msgspec.Struct):
    """A movie that the user's lists leave out."""

    user_id: int
    movie_id: int


ERASED = ErasedJson(
    user_id=1_000_000_042,
    receipt=["On 2026-01-08 20:15 UTC the account with the number 1000000042 was deleted.", "…"],
    receipt_url="/account/receipts/…",
)


@bp.delete("/users/<id:user_id>", strict_slashes=False)
@csrf.exempt
@operation(who="site", scope="users:write", not_found="User", answers={200: ErasedJson, 204: None}, example=ERASED)
def delete_user(user_id: UserId) -> Response:
    """Delete a user and all their data. The answer is the receipt; a second request is answered with 204.

    The account of an admin is not deleted by the API.
    """
    if erasure.is_erased(user_id):
        return Response(status=204)
    return erase(user_id)


@bp.delete("/users", strict_slashes=False)
@csrf.exempt
@operation(who="site", scope="users:write", answers={200: ErasedJson, 204: None}, example=ERASED)
def delete_site_user(query: SiteUserQuery) -> Response:
    """Delete a user by the site's own id. Nothing is stored about one who is not known: the answer is 204."""
    user_id = site_ids.find_user_id(query.user)
    return Response(status=204) if user_id is None else erase(user_id)


def erase(user_id: int) -> Response:
    """Delete the user and return the receipt; raise UserNotFound, or Forbidden for an admin."""
    user = db.session.get(User, user_id)
    if user is None:
        raise UserNotFound
    if user.is_admin:
        raise Forbidden("This user is an admin, whom the API does not delete.")
    record = erasure.erase(user_id, access.name_of_caller())
    jobs.clean_exports(user_id)
    url = url_for("accounts.receipt", receipt_key=record.receipt_key)
    return json_answer(ErasedJson(user_id, erasure.receipt_lines(record), url))


@bp.post("/dismissals", strict_slashes=False)
@csrf.exempt
@operation(
    who="author",
    scope="ratings:write",
    not_found="User or movie",
    answers={200: DismissedJson},
    example=DismissedJson(user_id=123, movie_id=550),
    body_example={"movie_id": 550},
)
def dismiss_movie(subject_id: int | None, body: NewDismissal) -> DismissedJson:
    """Leave a movie out of a user's lists. The user is the caller unless named, and a `user` not stored yet is created.

    Dismissing it again changes nothing.
    """
    movie_id = find_movie_id(body)
    user_id = subject_id or add_user(body, movie_id)
    suggestions.dismiss(user_id, movie_id)
    return DismissedJson(user_id, movie_id)


@bp.delete("/dismissals/<id:movie_id>", strict_slashes=False)
@csrf.exempt
@operation(who="author", scope="ratings:write", not_found="User", answers={204: None}, example=None)
def restore_movie(movie_id: MovieId, query: OfAuthor, subject_id: int | None) -> Response:
    """Let a movie into a user's lists again. The answer is the same if it was not dismissed."""
    if subject_id is not None:
        suggestions.restore(subject_id, movie_id)
    return Response(status=204)
