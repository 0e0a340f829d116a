"""What all blueprints share: the caller, form and query parsing, errors, limits, CORS.

Imports `accounts`, `ratings`, `suggestions` and `storage`. Start with `access.py`, `query_string.py` and `htmx.py`.
"""

from flask import Flask

from recsite.web.request import cors, errors, headers, limits, routing

__all__ = ["headers", "init_app"]


def init_app(app: Flask) -> None:
    """Register the id converter, limits, error handlers and CORS, which must precede the blueprints."""
    routing.init_app(app)
    limits.init_app(app)
    errors.init_app(app)
    cors.init_app(app)
