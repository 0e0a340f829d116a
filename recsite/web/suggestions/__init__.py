"""The home page, the first questions, the API of suggestions, feeds and the page about widgets.

Imports `suggestions` and `ratings`. Start with `pages.py`; `api.py` has the views for programs.
"""

from recsite.web.suggestions import api, feeds, pages, widgets

blueprints = (pages.bp, widgets.bp)

__all__ = ["api", "blueprints", "feeds"]
