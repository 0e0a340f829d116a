"""Views with two representations: the whole page for a browser, a fragment of it for HTMX."""

from typing import Any

from flask import Response, after_this_request, render_template, request


def is_htmx() -> bool:
    """Return whether HTMX expects a fragment; adds `Vary: HX-Request`, so that no cache serves a fragment as a page."""
    after_this_request(add_vary_header)
    return request.environ.get("HTTP_HX_REQUEST") == "true"


def render_page_or_fragment(page: str, fragment: str, **context: Any) -> str:
    """Render the template `fragment` for HTMX, else `page`, with the same context."""
    return render_template(fragment if is_htmx() else page, **context)


def add_vary_header(response: Response) -> Response:
    """Add `HX-Request` to the Vary header unless it is there."""
    # The search in the text costs a tenth of parsing the header, and `/api/suggestions` always sets it.
    if "HX-Request" not in response.headers.get("Vary", ""):
        response.vary.add("HX-Request")
    return response
