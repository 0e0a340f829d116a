"""The admin pages: overview, movies, users, tokens, feeds, webhooks, versions, jobs, imports, quality, the log.

Imports every package below `web`. Start with `overview.py`, which defines the blueprint and its access check.
"""

from recsite.web.admin import feeds, imports, jobs, movies, overview, quality, tokens, users, versions, webhooks

blueprints = (overview.bp,)

__all__ = ["blueprints", "feeds", "imports", "jobs", "movies", "quality", "tokens", "users", "versions", "webhooks"]
