"""The JSON API: how an operation is declared, read, answered and documented, and the routes of movies and ratings.

Imports `movies`, `ratings` and `suggestions`. Start with `endpoints.py`.
"""

from recsite.web.api import docs, endpoints

blueprints = (endpoints.bp, docs.bp)

__all__ = ["blueprints", "docs", "endpoints"]
