"""The pages of movies: search, one movie, and the reviews that show one card after another.

Imports `movies`, `ratings` and `suggestions`. Start with `pages.py`; `rating.py` has the views that change a rating.
"""

from recsite.web.movies import pages, rating

blueprints = (pages.bp,)

__all__ = ["blueprints", "rating"]
