"""Accounts: people, passwords, tokens, what admins do to users, erasure and the download of personal data.

Imports `versions`, `ratings`, `movies` and `storage`. Start with `users.py`.
"""

from recsite.accounts.users import (
    authenticate,
    change_password,
    check_old_password,
    create_token,
    create_user,
    find_session_user,
    find_token_user,
    find_user,
    hash_of,
    user_named,
)

__all__ = [
    "authenticate",
    "change_password",
    "check_old_password",
    "create_token",
    "create_user",
    "find_session_user",
    "find_token_user",
    "find_user",
    "hash_of",
    "user_named",
]
