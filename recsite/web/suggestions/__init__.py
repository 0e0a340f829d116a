"""The home page, the first questions, the API of suggestions and the page about widgets.

Imports `suggestions` and `ratings`. Start with `pages.py`.
"""

from recsite.web.suggestions import pages, widgets

blueprints = (pages.bp, widgets.bp)
