"""What all blueprints share: who is asking, form and query parsing, errors, limits, CORS.

Imports `accounts`, `ratings`, `suggestions` and `storage`. Start with `access.py` and `forms.py`.
"""

from flask import Flask

from recsite.web.request import cors, errors, limits


def init_app(app: Flask) -> None:
    """Register the limits, the error handlers and CORS."""
    limits.init_app(app)
    errors.init_app(app)
    cors.init_app(app)
