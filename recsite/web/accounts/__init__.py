"""The pages of accounts: sign up, log in, settings, my ratings, imports, feeds, deletion.

Imports `accounts`, `ratings`, `suggestions` and `jobs`. Start with `login.py`, which defines the blueprint.
"""

from recsite.web.accounts import feeds, imports, login, ratings, settings

blueprints = (login.bp,)

__all__ = ["blueprints", "feeds", "imports", "ratings", "settings"]
