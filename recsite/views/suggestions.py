"""The home page, and `GET /api/suggestions`: one list as JSON for programs, as a snippet for HTMX."""

import hashlib
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, json, jsonify, render_template, request

from .. import answers, suggestions
from ..models import LARGEST_ID
from ..suggestions import Freshness, Suggested, SuggestionList
from . import access, options

bp = Blueprint("suggestions", __name__)

MOST = 100
"Movies of one answer at most."
FARTHEST = 10_000
"The largest offset."
INCLUDABLE = ("value", "reason", "poster", "release_date", "genres")
OPTIONS = ("user_id", "limit", "offset", "include", "genre", "exclude", "sort")


@bp.get("/")
def home() -> str:
    """A user's own list; for a visitor what everybody likes, and an invitation."""
    user = access.caller()
    shown = suggestions.best_for(user.id, limit=24) if user else suggestions.popular_list(24)
    template = "suggestions/_list.html" if options.is_htmx() else "suggestions/home.html"
    return render_template(template, suggestions=shown)


@bp.get("/api/suggestions")
@bp.get("/api/suggestions/")
def api_suggestions() -> Response:
    """A user's suggestions, the best first, from the cache where it has them."""
    options.refuse_unknown(OPTIONS)
    user_id = options.user_id()
    chosen: dict[str, Any] = {
        "limit": options.whole("limit", 1, MOST, default=50),
        "offset": options.whole("offset", 0, FARTHEST, default=0),
        "genre": options.one("genre") or None,
        "exclude": options.whole_list("exclude", 1, LARGEST_ID),
        "sort": options.choice("sort", ("value", "score"), default="") or None,
    }
    include = options.choices("include", INCLUDABLE)
    access.may_read(user_id)
    is_html = options.is_htmx()

    def make(fresh: Freshness) -> bytes:
        with_reasons = is_html or "reason" in include
        found = suggestions.best_for(user_id, **chosen, with_reasons=with_reasons, fresh=fresh)
        return pack(found, as_html(found) if is_html else as_json(found, include))

    asked = hashlib.sha256(repr((is_html, chosen, include)).encode()).hexdigest()[:16]
    packed = answers.find_or_make(lambda: suggestions.find_freshness(user_id), make, asked)
    return answer(packed, "text/html" if is_html else "application/json")


@bp.get("/api/explain")
@bp.get("/api/explain/")
def api_explain() -> Response:
    """Why a user sees a movie, or the first rule that keeps it out."""
    options.refuse_unknown(("user_id", "movie_id"))
    user_id = options.user_id()
    movie_id = options.whole("movie_id", 1, LARGEST_ID)
    access.may_read(user_id)
    response = jsonify(asdict(suggestions.explain(user_id, movie_id)))
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def as_html(found: SuggestionList) -> bytes:
    """The list as it stands on the home page, too."""
    return render_template("suggestions/_list.html", suggestions=found).encode()


def as_json(found: SuggestionList, include: list[str]) -> bytes:
    """The list as programs take it."""
    if include:
        return json.dumps({"suggestions": [item_as_json(item, include) for item in found.items]}).encode()
    # The same text from what is kept of each movie.
    return f'{{"suggestions": [{", ".join([item.movie.json for item in found.items])}]}}'.encode()


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


def pack(found: SuggestionList, body: bytes) -> bytes:
    """An answer as the cache keeps it: ETag, source and version in the first line, then the body."""
    head = f"{found.source} {found.version_name or ''}"
    etag = hashlib.sha256(head.encode() + body).hexdigest()[:32]
    return f"{etag} {head}\n".encode() + body


def answer(packed: bytes, mimetype: str) -> Response:
    """The HTTP answer from what `pack` made; 304 to a client that has it already."""
    head, _, body = packed.partition(b"\n")
    etag, source, version_name = head.decode().split(" ", 2)
    response = Response(body, mimetype=mimetype)
    response.headers["X-Suggestion-Source"] = source
    if version_name:
        response.headers["X-Model-Version"] = version_name
    # Kept by the browser only, and asked about each time: a rating counts at once.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "HX-Request, Authorization, Cookie"
    response.set_etag(etag)
    response.make_conditional(request)
    return response
