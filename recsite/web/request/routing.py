"""The URL converter for database ids, `<id:movie_id>` in a route, and paths as logs may show them."""

import re

from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.routing import IntegerConverter, Map, ValidationError

from recsite.storage.tables import LARGEST_ID


class IdConverter(IntegerConverter):
    """A whole number from 1 to LARGEST_ID; a path with any other number gets a 404."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=LARGEST_ID)

    def to_python(self, value: str) -> int:
        """Return the number, or raise NotFound."""
        try:
            number: int = super().to_python(value)
        except ValidationError as error:
            # Werkzeug would answer 405 where the path has a route for another method.
            raise NotFound from error
        return number


def init_app(app: Flask) -> None:
    """Register the converter, which must precede every blueprint whose routes use it."""
    app.url_map.converters["id"] = IdConverter


def path_for_log(path: str) -> str:
    """Return the path without the secret in the address of a feed."""
    return re.sub("^/feeds/[^/]*", "/feeds/…", path) if path.startswith("/feeds/") else path
