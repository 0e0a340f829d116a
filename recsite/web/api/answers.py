"""Responses of the API: JSON with an ETag, compressed where that saves a packet, and links between pages."""

import gzip
import hashlib
from typing import Any

import msgspec
from flask import Response, request, url_for

from recsite.storage.paging import LAST_PAGE, Page

SMALLEST_COMPRESSED = 1400
"In bytes; a smaller body fits into one packet uncompressed."
COMPRESSION = 6
"The gzip level."


def json_answer(body: object, status: int = 200) -> Response:
    """Return the body (a Struct, dataclass or dict) as JSON, or a 304 if the client has it."""
    response = Response(msgspec.json.encode(body), status, mimetype="application/json")
    if status == 200 and request.method in ("GET", "HEAD"):
        finish(response, hashlib.sha256(response.get_data()).hexdigest()[:32])
    return response


def paged_answer(found: Page[Any], body: object) -> Response:
    """Return the page as JSON, with links to the first, previous, next and last page."""
    response = json_answer(body)
    last = min(found.pages, LAST_PAGE)
    pages = {"first": 1, "prev": min(found.page - 1, last), "next": found.page + 1, "last": last}
    response.headers["Link"] = ", ".join(
        f'<{url_for_page(page)}>; rel="{name}"' for name, page in pages.items() if 1 <= page <= last
    )
    return response


def url_for_page(page: int) -> str:
    """Return the URL of another page of the current list."""
    options: dict[str, Any] = {**(request.view_args or {}), **request.args, "page": page}
    return url_for(str(request.endpoint), **options)


def finish(response: Response, etag: str) -> Response:
    """Set ETag and caching headers; answer 304 to a client that has the body, and compress it for gzip."""
    is_compressed = takes_gzip() and len(response.get_data()) >= SMALLEST_COMPRESSED
    # A rating counts at once, so a client must revalidate each time.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept-Encoding, Authorization, Cookie"
    # Two encodings are two representations, and an ETag names one.
    response.set_etag(f"{etag}-gzip" if is_compressed else etag)
    response.make_conditional(request)
    if is_compressed and response.status_code == 200:
        response.headers["Content-Encoding"] = "gzip"
        response.set_data(compressed(response.get_data()))
    return response


def compressed(body: bytes) -> bytes:
    """Return the body as gzip without a timestamp, so that equal bodies have equal bytes."""
    return gzip.compress(body, COMPRESSION, mtime=0)


def takes_gzip() -> bool:
    """Return whether the client accepts gzip."""
    return "gzip" in request.environ.get("HTTP_ACCEPT_ENCODING", "") and request.accept_encodings["gzip"] > 0
