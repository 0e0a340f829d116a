"""The doors for browsers and programs. Reached as `views.movies`, for a room of the package may have the same name."""

from . import (
    accounts,
    admin,
    admin_catalog,
    admin_versions,
    api,
    cors,
    docs,
    errors,
    headers,
    limits,
    movies,
    my_account,
    my_ratings,
    rating,
    status,
    suggestions,
)

__all__ = [
    "accounts",
    "admin",
    "admin_catalog",
    "admin_versions",
    "api",
    "cors",
    "docs",
    "errors",
    "headers",
    "limits",
    "movies",
    "my_account",
    "my_ratings",
    "rating",
    "status",
    "suggestions",
]
