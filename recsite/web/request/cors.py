"""CORS: the origins whose pages may read the API from a visitor's browser (CORS_ORIGINS)."""

from flask import Flask, Response, request
from flask_cors import CORS

READABLE = ("ETag", "Link", "Retry-After", "X-Model-Version", "X-Suggestion-Source")
"Response headers that a script on another site's page may read."
SENDABLE = (
    *("HX-Request", "HX-Current-URL", "HX-Target", "HX-Trigger", "HX-Trigger-Name", "HX-Boosted", "HX-Prompt"),
    *("HX-History-Restore-Request", "If-None-Match"),
)
"Request headers that such a page may send; no Authorization, because an API token in a page would be public."
PREFLIGHT_SECONDS = 3600


def init_app(app: Flask) -> None:
    """Let pages of the configured origins do what a visitor or a user token may do; cookies are not accepted."""
    origins = app.config["CORS_ORIGINS"]
    # With a user token such a page also rates and dismisses.
    changes, body = (["POST", "DELETE"], ["Content-Type"]) if app.config["WIDGET_KEY"] else ([], [])
    if origins:
        CORS(
            app,
            resources="^/api/",
            origins=list(origins),
            methods=["GET", "HEAD", "OPTIONS", *changes],
            allow_headers=[*SENDABLE, *body],
            expose_headers=list(READABLE),
            supports_credentials=False,
            max_age=PREFLIGHT_SECONDS,
            always_send=False,
            vary_header=False,  # Flask-CORS sets Vary only for two or more origins; vary_by_origin always does.
        )
        app.after_request(vary_by_origin)


def vary_by_origin(response: Response) -> Response:
    """Add Origin to Vary, so that a cache keeps the responses to different sites apart."""
    if request.path.startswith("/api/"):
        response.vary.add("Origin")
    return response
