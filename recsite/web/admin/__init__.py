"""The admin pages: overview, movies, users, tokens, webhooks, versions, jobs, imports, quality and the audit log.

Imports every package below `web`. Start with `overview.py`, which defines the blueprint and its access check.
"""

from recsite.web.admin import imports, jobs, movies, overview, quality, tokens, users, versions, webhooks

blueprints = (overview.bp,)

__all__ = ["blueprints", "imports", "jobs", "movies", "quality", "tokens", "users", "versions", "webhooks"]
