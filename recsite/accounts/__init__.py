"""Accounts: users, passwords, tokens, what admins change about users, erasure and the download of personal data.

Imports `versions`, `ratings`, `movies` and `storage`. Start with `users.py`.
"""

from recsite.accounts.passwords import change_password, check_current_password
from recsite.accounts.tokens import create_token, find_token_user
from recsite.accounts.users import (
    authenticate,
    create_user,
    end_sessions,
    find_session_user,
    find_user,
    find_user_or_none,
)

__all__ = [
    "authenticate",
    "change_password",
    "check_current_password",
    "create_token",
    "create_user",
    "end_sessions",
    "find_session_user",
    "find_token_user",
    "find_user",
    "find_user_or_none",
]
