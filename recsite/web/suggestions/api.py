"""The API of suggestions: JSON for programs, a fragment for HTMX."""

import hashlib
from collections.abc import Collection
from typing import Annotated, Any, Literal, get_args

import msgspec
from flask import Response, json, render_template, request
from markupsafe import escape
from msgspec import UNSET, Meta, UnsetType

from recsite import movies, suggestions
from recsite.storage.response_cache import CachedResponse, get_or_make
from recsite.suggestions import Explanation, Freshness, ListOptions, Suggested, SuggestionList
from recsite.web.api import shapes
from recsite.web.api.answers import SMALLEST_COMPRESSED, compressed, takes_gzip
from recsite.web.api.filters import Filters
from recsite.web.api.operations import operation
from recsite.web.api.schema import MovieId, UserId
from recsite.web.request import limits
from recsite.web.suggestions.pages import bp

MAX_LIMIT = 100
MAX_OFFSET = 1_000
"Skipping movies takes time in proportion to their number."
CACHED_LIMITS = frozenset((5, 10, 12, 20, 24, 50))
"Values of `limit` whose responses are cached: the default, that of the widgets, and what fits a page."
ROOT = "\0"
"Stands for the address of the site in a cached fragment: no title contains it."
Includable = Literal["value", "reason", "poster", "release_date", "genres"]
INCLUDABLE: tuple[Includable, ...] = get_args(Includable)


class SuggestionsQuery(Filters, frozen=True, kw_only=True):
    """The query of `GET /api/suggestions`."""

    user_id: UserId
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description="How many at most.", examples=[2])] = 50
    offset: Annotated[int, Meta(ge=0, le=MAX_OFFSET, description="How many to leave out first.", examples=[0])] = 0
    include: Annotated[
        tuple[Includable, ...],
        Meta(
            description="More keys for each movie.",
            examples=[["value", "reason"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()
    sort: (
        Annotated[
            Literal["value", "score"],
            Meta(
                description="By predicted rating or by what everybody thinks, instead of the personal order.",
                examples=["value"],
            ),
        ]
        | UnsetType
    ) = UNSET


class ExplanationQuery(msgspec.Struct, frozen=True):
    """The query of `GET /api/explain`."""

    user_id: UserId
    movie_id: MovieId


@bp.get("/api/suggestions", strict_slashes=False)
@operation(
    who="list reader",
    not_found="User",
    answers={200: shapes.SuggestionsJson},
    headers=("X-Model-Version", "X-Suggestion-Source"),
    has_snippet=True,
    example={"suggestions": [{"id": 550, "title": "Fight Club", "overview": "…"}]},
)
def list_suggestions(query: SuggestionsQuery) -> Response:
    """List a user's suggestions. The best come first, and rated movies are left out; HTMX gets a fragment of HTML."""
    is_html = request.environ.get("HTTP_HX_REQUEST") == "true"
    include = tuple(key for key in INCLUDABLE if key in query.include)
    # A fragment is compressed when it is sent, with its links.
    is_compressed = takes_gzip() and not is_html

    only = query.as_filter()

    def make(freshness: Freshness) -> CachedResponse:
        options = ListOptions(
            limit=query.limit,
            offset=query.offset,
            only=only,
            sort=query.sort or None,
            with_reasons=is_html or "reason" in include,
        )
        found = suggestions.best_for(query.user_id, options, freshness)
        if is_html:
            body, mimetype = render_template("suggestions/_list.html", suggestions=found, root=ROOT), "text/html"
        else:
            body, mimetype = to_json(found, include), "application/json"
        response = list_response(found, body.encode(), mimetype, is_compressed)
        return CachedResponse(list(response.headers), response.get_data())

    def read_state() -> Freshness:
        return suggestions.find_freshness(query.user_id)

    is_filtered = bool(query.offset or query.sort or not only.is_empty)
    if is_filtered:
        limits.count_search()
    # A caller must not be able to fill the cache with variants.
    if is_filtered or query.limit not in CACHED_LIMITS:
        answer = make(read_state())
    else:
        answer = get_or_make(read_state, make, (is_html, is_compressed, query.limit, include))
    response = Response([answer.body], headers=answer.headers)
    if is_html:
        insert_links(response)
    if "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
    return response


def insert_links(response: Response) -> None:
    """Put the address of the site, as this client names it, into a fragment; tag and compress it."""
    body = response.get_data().replace(ROOT.encode(), escape(request.url_root.rstrip("/")).encode())
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
def explain_suggestion(query: ExplanationQuery) -> Explanation:
    """Explain a suggestion. Name the user's ratings that support a movie, or the first rule that keeps it out."""
    movies.get_visible(query.movie_id)
    return suggestions.explain(query.user_id, query.movie_id)


def to_json(found: SuggestionList, include: Collection[str]) -> str:
    """Return the list as the API documents it."""
    return json.dumps({"suggestions": [item_fields(item, include) for item in found.items]})


def item_fields(item: Suggested, include: Collection[str]) -> dict[str, Any]:
    """Return the fields of one movie: the fixed ones, and those in `include`."""
    movie = item.movie
    fields: dict[str, Any] = {"id": movie.id, "title": movie.title, "overview": movie.overview}
    if not include:
        return fields
    optional = {
        "value": item.value,
        "reason": item.reason,
        "poster": movie.poster_path,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genre_names,
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
