"""Which other sites' pages may read the API from a visitor's browser (CORS_ORIGINS)."""

from flask import Flask, Response, request
from flask_cors import CORS

READABLE = ("ETag", "Link", "Retry-After", "X-Model-Version", "X-Suggestion-Source")
"Headers of an answer that a script on another site's page may read."
SENDABLE = (
    *("HX-Request", "HX-Current-URL", "HX-Target", "HX-Trigger", "HX-Trigger-Name", "HX-Boosted", "HX-Prompt"),
    *("HX-History-Restore-Request", "If-None-Match"),
)
"""What such a page may send: what HTMX adds to each request, and the ETag it knows.

No Authorization: a token reads every user's list, so that its place is a server, never a page.
"""
PREFLIGHT_SECONDS = 3600


def init_app(app: Flask) -> None:
    """Pages of the configured origins read what a visitor without a log-in reads; with none, this costs nothing.

    Cookies never count: a page elsewhere does not act as whoever is logged in here, and changes nothing.
    """
    origins = app.config["CORS_ORIGINS"]
    if origins:
        CORS(
            app,
            resources="^/api/",
            origins=list(origins),
            methods=["GET", "HEAD", "OPTIONS"],
            allow_headers=list(SENDABLE),
            expose_headers=list(READABLE),
            supports_credentials=False,
            max_age=PREFLIGHT_SECONDS,
            # The headers go to whoever asks as one of the origins; Flask-CORS says so (Vary) for two only.
            always_send=False,
            vary_header=False,
        )
        app.after_request(vary_by_origin)


def vary_by_origin(response: Response) -> Response:
    """What is kept of an answer to one site is not taken for an answer to another."""
    if request.path.startswith("/api/"):
        response.vary.add("Origin")
    return response
