"""The JSON API: declaration, parsing, responses and documentation of operations; movies, ratings and jobs.

Imports `movies`, `ratings`, `suggestions` and `recsite.jobs`. Start with `endpoints.py`.
"""

from recsite.web.api import catalog, docs, endpoints, jobs, rating_batches, users

blueprints = (endpoints.bp, docs.bp)

__all__ = ["blueprints", "catalog", "jobs", "rating_batches", "users"]
