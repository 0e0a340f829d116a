"""The pages for admins: overview, movies, users, tokens, versions, jobs, quality and the audit log.

Imports every package below `web`. Start with `overview.py`, which defines the blueprint and its access check.
"""

from recsite.web.admin import jobs, movies, overview, quality, tokens, users, versions

blueprints = (overview.bp,)

__all__ = ["blueprints", "jobs", "movies", "quality", "tokens", "users", "versions"]
