"""Health, metrics, request logging, response headers and static files.

Imports `jobs` (health), `versions` and `storage`. Start with `status.py`.
"""

from flask import Flask

from recsite.web.site import metrics, middleware, request_body, status
from recsite.web.site.sessions import CookieSessions

__all__ = ("blueprints", "init_app", "request_body")

blueprints = (status.bp, metrics.bp)


def init_app(app: Flask) -> None:
    """Add the middleware that gives every response its id, headers, log line and count."""
    app.session_interface = CookieSessions()
    middleware.init_app(app)
