"""The JSON API: declaration, parsing, responses and documentation of operations; movies, ratings and jobs.

Imports `movies`, `ratings`, `suggestions` and `recsite.jobs`. Start with `endpoints.py`.
"""

from recsite.web.api import docs, endpoints, jobs, rating_batches

blueprints = (endpoints.bp, docs.bp)

__all__ = ["blueprints", "jobs", "rating_batches"]
