"""The home page, and `GET /api/suggestions`: one list as JSON for programs, as a snippet for HTMX."""

import hashlib
from typing import Annotated, Any, Literal, get_args

import msgspec
from flask import Blueprint, Response, json, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import UNSET, Meta, UnsetType

from recsite import suggestions
from recsite.storage import response_cache
from recsite.storage.tables import LARGEST_ID
from recsite.suggestions import Explanation, Freshness, Suggested, SuggestionList
from recsite.web.api import shapes
from recsite.web.api.answers import SMALLEST_COMPRESSED, ReadyAnswer, compressed, takes_gzip
from recsite.web.api.operations import operation
from recsite.web.api.schema import LONGEST_LIST, Genre, MovieId, UserId
from recsite.web.request import access, forms, htmx, viewer

bp = Blueprint("suggestions", __name__)

ENOUGH = 5
"Ratings that make a list personal enough to stop asking for more."
SHELF = 10
"Movies of a shelf on another page."
QUESTIONS = 12
"First questions on a page: fills rows of 1, 2, 3 and 4."
MOST = 100
"Movies of one answer at most."
FARTHEST = 10_000
"The largest offset."
LONGEST_ASKED = 150
"Characters that a cache's key says outright of what was asked for."
FORM = 2
"Of packed answers: another one with each change of `pack` or of the JSON, for the cache outlives an upgrade."
Ready = tuple[bytes, list[tuple[str, str]]]
"The body of an answer, and its headers."
Includable = Literal["value", "reason", "poster", "release_date", "genres"]
INCLUDABLE: tuple[Includable, ...] = get_args(Includable)


class SuggestionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of `GET /api/suggestions`."""

    user_id: UserId
    limit: Annotated[int, Meta(ge=1, le=MOST, description="How many at most.", examples=[2])] = 50
    offset: Annotated[int, Meta(ge=0, le=FARTHEST, description="How many to leave out first.", examples=[0])] = 0
    include: Annotated[
        list[Includable],
        Meta(
            description="More keys for each movie.",
            examples=[["value", "reason"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = []
    genre: Genre | UnsetType = UNSET
    exclude: Annotated[
        list[MovieId],
        Meta(max_length=LONGEST_LIST, description="Movies to leave out, by id.", examples=[[13, 680]]),
    ] = []
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


@bp.get("/")
def home() -> str:
    """The viewer's own list and more in rows; for a visitor what everybody likes, and an invitation."""
    user = access.caller()
    return htmx.render_page_or_fragment(
        page="suggestions/home.html",
        fragment="suggestions/_home.html",
        home=suggestions.home_of(user.id) if user else suggestions.home_of_visitor(viewer.session_ratings()),
        count=viewer.count_of_ratings(),
        enough=ENOUGH,
    )


@bp.get("/for-you/")
def for_you() -> str:
    """The first of the viewer's list, as a shelf for the foot of another page."""
    user_id = viewer.user_id()
    found = (
        suggestions.best_for(user_id, limit=SHELF)
        if user_id
        else suggestions.best_from(viewer.session_ratings(), SHELF)
    )
    return render_template("suggestions/_for_you.html", found=found)


@bp.get("/start/")
def start() -> str:
    """The first questions: movies whose rating tells most; under HTMX how many are rated."""
    count = viewer.count_of_ratings()
    if htmx.is_htmx():
        return render_template("suggestions/_progress.html", count=count, enough=ENOUGH)
    movies = suggestions.questions_for(viewer.user_id(), QUESTIONS, viewer.session_ratings(), viewer.session_skips())
    return render_template("suggestions/start.html", count=count, enough=ENOUGH, movies=movies)


@bp.post("/start/others")
def others() -> ResponseReturnValue:
    """The questions of this page that stayed without an answer do not come again."""
    for movie_id in forms.whole_fields("movie_id", 1, LARGEST_ID, most=QUESTIONS):
        if viewer.rating_of(movie_id) is None:
            viewer.skip(movie_id)
    return redirect(url_for(".start"), 303)


@bp.get("/api/suggestions", strict_slashes=False)
@operation(
    who="reader",
    not_found="User",
    answers={200: shapes.SuggestionsJson},
    headers=("X-Model-Version", "X-Suggestion-Source"),
    has_snippet=True,
    example={"suggestions": [{"id": 550, "title": "Fight Club", "overview": "…"}]},
)
def list_suggestions(query: SuggestionsQuery) -> Response:
    """List a user's suggestions. The best first, none that the user rated; HTMX gets them as a snippet of HTML."""
    user_id = query.user_id
    include: list[str] = [key for key in INCLUDABLE if key in query.include]
    chosen: dict[str, Any] = {
        "limit": query.limit,
        "offset": query.offset,
        "genre": query.genre or None,
        "exclude": sorted(set(query.exclude)),
        "sort": query.sort or None,
    }
    is_html, is_compressed = htmx.is_htmx(), takes_gzip()

    def make(fresh: Freshness) -> Ready:
        with_reasons = is_html or "reason" in include
        found = suggestions.best_for(user_id, **chosen, with_reasons=with_reasons, fresh=fresh)
        if is_html:
            return make_ready("text/html; charset=utf-8", found, as_html(found), is_compressed)
        return make_ready("application/json", found, as_json(found, include), is_compressed, marks_of(found, include))

    # The snippet holds whole addresses, which a site of two names has twice.
    host = request.host_url if is_html else None
    asked = short(repr((FORM, host, is_compressed, chosen, include)))
    ready = response_cache.find_or_make(lambda: suggestions.find_freshness(user_id), make, asked, pack, unpack)
    response = ReadyAnswer(*ready)
    if "HTTP_IF_NONE_MATCH" in request.environ:
        # 304 to a client that has it already.
        response.make_conditional(request)
    return response


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
    """Explain a suggestion. Which of the user's ratings speak for a movie, or the first rule that keeps it out."""
    return suggestions.explain(query.user_id, query.movie_id)


def as_html(found: SuggestionList) -> bytes:
    """The list as a snippet for any page."""
    return render_template("suggestions/_list.html", suggestions=found).encode()


def as_json(found: SuggestionList, include: list[str]) -> bytes:
    """The list as programs take it."""
    if include:
        return json.dumps({"suggestions": [item_as_json(item, include) for item in found.items]}).encode()
    # The same text from what is kept of each movie.
    return b'{"suggestions": [%b]}' % b", ".join([item.movie.json for item in found.items])


def item_as_json(item: Suggested, include: list[str]) -> dict[str, Any]:
    """One movie with the keys that always are there and those asked for."""
    movie = item.movie
    more = {
        "value": item.value,
        "reason": item.reason,
        "poster": movie.poster_path,
        "release_date": movie.release_date.isoformat() if movie.release_date else None,
        "genres": movie.genres,
    }
    always = {"id": movie.movie_id, "title": movie.title, "overview": movie.overview}
    return always | {name: more[name] for name in include}


def short(asked: str) -> str:
    """The same text, or one that stands for it in a cache's key if it is long."""
    return asked if len(asked) <= LONGEST_ASKED else hashlib.sha256(asked.encode()).hexdigest()


def marks_of(found: SuggestionList, include: list[str]) -> bytes | None:
    """What tells plain JSON apart: its movies, each of which is hashed once for many answers; else None."""
    return None if include else b"".join([item.movie.mark for item in found.items])


def make_ready(
    content_type: str, found: SuggestionList, body: bytes, is_compressed: bool, marks: bytes | None = None
) -> Ready:
    """The answer, compressed where that saves something; its ETag follows from the `marks`, or else from the body."""
    is_compressed = is_compressed and len(body) >= SMALLEST_COMPRESSED
    kind = f"{content_type} {is_compressed} {found.source} {found.version_name}"
    etag = hashlib.sha256(kind.encode() + (body if marks is None else marks)).hexdigest()[:32]
    if is_compressed:
        body = compressed(body)
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("ETag", f'"{etag}"'),
        ("X-Suggestion-Source", found.source),
        ("Vary", "HX-Request, Accept-Encoding, Authorization, Cookie"),
    ]
    if found.version_name:
        headers.append(("X-Model-Version", found.version_name))
    if is_compressed:
        headers.append(("Content-Encoding", "gzip"))
    return body, headers


def pack(ready: Ready) -> bytes:
    """The answer as the cache keeps it: the headers in the first line, then the body.

    Whoever takes gzip has a copy in the cache that is compressed once, and smaller to fetch from there.
    """
    body, headers = ready
    return json.dumps(headers).encode() + b"\n" + body


def unpack(packed: bytes) -> Ready:
    """The answer that `pack` packed."""
    head, _, body = packed.partition(b"\n")
    return body, [(name, value) for name, value in json.loads(head)]
