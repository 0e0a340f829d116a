"""The JSON API: declaration, parsing, responses and documentation of operations; the routes of movies and ratings.

Imports `movies`, `ratings` and `suggestions`. Start with `endpoints.py`.
"""

from recsite.web.api import docs, endpoints

blueprints = (endpoints.bp, docs.bp)
