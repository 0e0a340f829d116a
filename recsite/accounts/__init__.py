"""Accounts: users, their passwords and tokens, what admins change about them, erasure and personal data.

Also tokens of the site, and users by the ids of the site.

Imports `versions`, `ratings`, `movies` and `storage`. Start with `users.py`.
"""

from recsite.accounts.passwords import change_password, check_current_password
from recsite.accounts.tokens import SCOPES, SiteToken, create_token, find_bearer
from recsite.accounts.users import (
    authenticate,
    create_user,
    end_sessions,
    find_session_user,
    find_user,
    find_user_or_none,
)
from recsite.accounts.widget_tokens import WidgetToken

__all__ = [
    "SCOPES",
    "SiteToken",
    "WidgetToken",
    "authenticate",
    "change_password",
    "check_current_password",
    "create_token",
    "create_user",
    "end_sessions",
    "find_bearer",
    "find_session_user",
    "find_user",
    "find_user_or_none",
]
