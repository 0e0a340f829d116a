"""The URL converters: `<id:movie_id>` for database ids, and the default one for texts."""

from flask import Flask
from werkzeug.routing import IntegerConverter, Map, UnicodeConverter

from recsite.storage.tables import LARGEST_ID


class IdConverter(IntegerConverter):
    """A whole number from 1 to LARGEST_ID; a path with any other number matches no route and gets a 404."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, min=1, max=LARGEST_ID)


class TextConverter(UnicodeConverter):
    """A text without a slash and without NUL, which PostgreSQL refuses; a path with one gets a 404."""

    regex = "[^/\0]+"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map)
        self.regex = type(self).regex


def init_app(app: Flask) -> None:
    """Register the converters, which must precede every blueprint whose routes use it."""
    app.url_map.converters |= {"id": IdConverter, "default": TextConverter}
