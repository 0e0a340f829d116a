"""The API of suggestions: JSON for programs, a fragment for HTMX."""

# flask-wtf ships no types.
# mypy: allow-untyped-decorators

import functools
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from flask import Response, json, request

from recsite import movies, suggestions
from recsite.accounts import site_ids
from recsite.errors import UserNotFound
from recsite.extensions import csrf
from recsite.storage.response_cache import CachedResponse, get_or_make
from recsite.suggestions import Explanation, Freshness, Suggested, SuggestionList
from recsite.web.api import shapes
from recsite.web.api.answers import SMALLEST_COMPRESSED, compressed, json_answer, takes_gzip
from recsite.web.api.filters import Precision
from recsite.web.api.operations import find_movie_id, operation
from recsite.web.request import limits
from recsite.web.suggestions import snippets
from recsite.web.suggestions.pages import bp
from recsite.web.suggestions.parameters import (
    INCLUDABLE,
    BatchBody,
    ExplanationQuery,
    Includable,
    Newcomer,
    SuggestionsQuery,
)

LONGEST_LISTS = 512 * 1024
"In bytes: 1,000 ratings or users with the longest ids have about 250,000."


@bp.get("/api/suggestions", strict_slashes=False)
@operation(
    who="list reader",
    not_found="User",
    answers={200: shapes.SuggestionsJson},
    headers=("X-Model-Version", "X-Suggestion-Source"),
    has_snippet=True,
    example={"suggestions": [{"id": 550, "title": "Fight Club", "overview": "…"}]},
)
def list_suggestions(query: SuggestionsQuery, subject_id: int | None, companion_ids: Sequence[int | None]) -> Response:
    """List a user's suggestions. The best come first, and rated movies are left out; HTMX gets a fragment of HTML."""
    # Those who are not stored yet have no say.
    stored = [each for each in (subject_id, *companion_ids) if each is not None]
    user_id = stored[0] if stored else None
    is_html = request.environ.get("HTTP_HX_REQUEST") == "true"
    # A fragment is compressed when it is sent, with its links.
    is_compressed = takes_gzip() and not is_html
    include = in_order(query.include)

    def make(freshness: Freshness | None) -> CachedResponse:
        options = query.as_options(with_reasons=is_html or "reason" in include)
        options = replace(options, together_with=tuple(stored[1:]))
        if freshness is None:
            found = suggestions.best_from({}, options)
        else:
            found = suggestions.best_for(freshness.user_id, options, freshness)
        if is_html:
            body, mimetype = snippets.render(found, query.style, query.link or None), "text/html"
        else:
            body, mimetype = to_json(found, include, query), "application/json"
        response = list_response(found, body.encode(), mimetype, is_compressed)
        return CachedResponse(list(response.headers), response.get_data())

    if not query.is_beginning:
        limits.count_search()
    if user_id is None:
        answer = make(None)
    elif query.is_cached:
        read_state = functools.partial(suggestions.find_freshness, user_id)
        answer = get_or_make(read_state, make, (is_html, is_compressed, query.limit, include))
    else:
        answer = make(suggestions.find_freshness(user_id))
    response = Response([answer.body], headers=answer.headers)
    if is_html:
        finish_snippet(response)
    if "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
    return response


@bp.post("/api/suggestions", strict_slashes=False)
@csrf.exempt
@operation(
    who="client",
    not_found="Movie",
    answers={200: shapes.SuggestionsJson},
    headers=("X-Model-Version", "X-Suggestion-Source"),
    example={"suggestions": [{"id": 278, "title": "The Shawshank Redemption", "overview": "…"}]},
    body_example={"ratings": [{"movie_id": 550, "value": 4.5}], "limit": 10},
    longest_body=LONGEST_LISTS,
)
def suggest_to_newcomer(body: Newcomer) -> Response:
    """List suggestions for somebody who is not stored. They follow from the ratings sent, and nothing is written."""
    limits.count_search()
    movie_ids = movies.require_ids([rated.movie or rated.movie_id or 0 for rated in body.ratings])
    stars = {movie_id: rated.value for movie_id, rated in zip(movie_ids, body.ratings, strict=True)}
    include = in_order(body.include)
    found = suggestions.best_from(stars, body.as_options(with_reasons="reason" in include))
    return list_response(found, to_json(found, include, body).encode(), "application/json", takes_gzip())


@bp.post("/api/suggestions/batch", strict_slashes=False)
@csrf.exempt
@operation(
    who="list reader",
    not_found="User",
    answers={200: shapes.BatchJson},
    example={
        "results": [
            {
                "user_id": 123,
                "user": None,
                "source": "model",
                "suggestions": [{"id": 550, "title": "Fight Club", "overview": "…"}],
            }
        ]
    },
    body_example={"user_ids": [123, 456], "limit": 10},
    longest_body=LONGEST_LISTS,
)
def suggest_to_many(body: BatchBody, subject_ids: Sequence[int | None]) -> Response:
    """List the suggestions of many users. The results stand in the order asked; they have no reasons."""
    limits.count_search()
    try:
        found = suggestions.lists_for(subject_ids, body.limit)
    except UserNotFound:
        if not body.users:
            raise
        # A customer who was deleted since the names were looked up is one who is not stored.
        known = site_ids.find_user_ids(body.users)
        subject_ids = [known.get(name) for name in body.users]
        found = suggestions.lists_for(subject_ids, body.limit)
    named = site_ids.find_site_ids(body.user_ids or ())
    names = body.users or [named.get(user_id) for user_id in body.user_ids or ()]
    results = [
        {
            "user_id": user_id,
            "user": name,
            "source": each.source,
            "suggestions": [item_fields(item, body.include, body) for item in each.items],
        }
        for user_id, name, each in zip(subject_ids, names, found, strict=True)
    ]
    return json_answer({"results": results})


def in_order(include: Collection[Includable]) -> tuple[Includable, ...]:
    """Return the keys in one order, whichever they are sent in."""
    return tuple(key for key in INCLUDABLE if key in include)


def finish_snippet(response: Response) -> None:
    """Put the address of the site, as this client names it, into a snippet; tag and compress it."""
    body = snippets.with_root(response.get_data())
    is_compressed = takes_gzip() and len(body) >= SMALLEST_COMPRESSED
    tag, _ = response.get_etag()
    response.set_etag(hashlib.sha256(f"{tag} {is_compressed}".encode() + body).hexdigest()[:32])
    response.set_data(compressed(body) if is_compressed else body)
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"


@bp.get("/api/explain", strict_slashes=False)
@operation(
    who="reader",
    not_found="User or movie",
    answers={200: Explanation},
    example={
        "movie_id": 949,
        "title": "Heat",
        "rank": 1,
        "prediction": {"value": 4.4, "knows_user": True, "knows_movie": True},
        "score": 0.8,
        "contributions": [{"movie_id": 680, "title": "Pulp Fiction", "rating": 5.0, "share": 0.8}],
        "kept_out_by": None,
    },
)
def explain_suggestion(query: ExplanationQuery, subject_id: int | None) -> Explanation:
    """Explain a suggestion. Name the user's ratings that support a movie, or the first rule that keeps it out."""
    movie = movies.get_visible(find_movie_id(query))
    found = suggestions.explain(subject_id, movie.id)
    if found.prediction is None:
        return found
    return replace(found, prediction=replace(found.prediction, value=query.rounded(found.prediction.value)))


def to_json(found: SuggestionList, include: Collection[str], precision: Precision) -> str:
    """Return the list as the API documents it."""
    return json.dumps({"suggestions": [item_fields(item, include, precision) for item in found.items]})


def item_fields(item: Suggested, include: Collection[str], precision: Precision) -> dict[str, Any]:
    """Return the fields of one movie: the fixed ones, and those in `include`."""
    movie = item.movie
    fields: dict[str, Any] = {"id": movie.id, "title": movie.title, "overview": movie.overview}
    if not include:
        return fields
    optional = {
        "value": precision.rounded(item.value),
        "reason": item.reason,
        "poster": movie.poster_path,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genre_names,
        "ids": movie.ids._asdict(),
    }
    return fields | {name: optional[name] for name in include}


def list_response(found: SuggestionList, body: bytes, mimetype: str, is_compressed: bool) -> Response:
    """Return a response with this body, compressed if the client accepts it and the body is large enough."""
    is_compressed = is_compressed and len(body) >= SMALLEST_COMPRESSED
    response = Response(compressed(body) if is_compressed else body, mimetype=mimetype)
    # The headers belong to the representation, and an ETag names one.
    kind = f"{mimetype} {is_compressed} {found.source} {found.version_name}\n".encode()
    response.set_etag(hashlib.sha256(kind + body).hexdigest()[:32])
    response.headers["Vary"] = "HX-Request, Accept-Encoding, Authorization, Cookie"
    response.headers["X-Suggestion-Source"] = found.source
    if found.version_name:
        response.headers["X-Model-Version"] = found.version_name
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"
    return response
