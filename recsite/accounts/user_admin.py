"""Changes that admins make to users: admin rights, log-ins, tokens, ratings; the audit log records each."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from recsite import accounts, ratings
from recsite.accounts.passwords import hash_password
from recsite.errors import InvalidInput, NotFound, UserNotFound
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.paging import Page, paginate
from recsite.storage.tables import LARGEST_ID, ApiToken, ModelVersion, Movie, Rating, Suggestion, User

WHO = ("everybody", "with a login", "admins")
"The filters of `search`."
PASSWORD_BYTES = 12
"Random bytes of a drawn password (96 bits)."


@dataclass(frozen=True)
class UserWithCounts:
    """A user, with the number of their ratings and API tokens."""

    user: User
    ratings: int
    tokens: int


@dataclass(frozen=True)
class SuggestedRow:
    """One stored suggestion with its movie and the version that made it."""

    movie: Movie
    row: Suggestion
    version_name: str | None


def search(query: str | None, who: str, page: int, per_page: int) -> Page[UserWithCounts]:
    """Return users whose name or address contains `query`, or whose id it is, ordered by id."""
    found = sa.select(User)
    if who == "with a login":
        found = found.where(User.password_hash.is_not(None))
    elif who == "admins":
        found = found.where(User.is_admin)
    if query:
        is_meant = User.username.icontains(query, autoescape=True) | User.email.icontains(query, autoescape=True)
        if query.isascii() and query.isdigit() and len(query) <= len(str(LARGEST_ID)) and int(query) <= LARGEST_ID:
            is_meant |= User.id == int(query)
        found = found.where(is_meant)
    users = paginate(found.order_by(User.id), page, per_page)
    return users.with_items(with_counts(users.items))


def with_counts(users: Sequence[User]) -> list[UserWithCounts]:
    """Return these users with their counts, in the same order."""
    user_ids = [user.id for user in users]
    ratings_of, tokens_of = (count_by_user(table, user_ids) for table in (Rating, ApiToken))
    return [UserWithCounts(user, ratings_of.get(user.id, 0), tokens_of.get(user.id, 0)) for user in users]


def count_by_user(table: type[Rating] | type[ApiToken], user_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of rows of each of these users; a user without rows is missing."""
    rows = db.session.execute(
        sa.select(table.user_id, sa.func.count()).where(table.user_id.in_(user_ids)).group_by(table.user_id)
    )
    return {row[0]: row[1] for row in rows if row[0] is not None}


def find(user_id: int) -> UserWithCounts:
    """Return the user and their counts, or raise UserNotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise UserNotFound
    return with_counts([user])[0]


def suggestions_of(user_id: int, page: int, per_page: int) -> Page[SuggestedRow]:
    """Return all suggestions stored for the user, the current list first, then the newest; raise UserNotFound."""
    find(user_id)
    is_listed = Suggestion.active & ~Suggestion.did_rate
    query = (
        sa.select(Movie, Suggestion, ModelVersion.version_name)
        .join(Movie, Movie.id == Suggestion.movie_id)
        .outerjoin(ModelVersion, ModelVersion.id == Suggestion.model_version_id)
        .where(Suggestion.user_id == user_id)
        .order_by(
            sa.case((is_listed, 0), else_=1),
            sa.case((is_listed, Suggestion.rank)),
            Suggestion.timestamp.desc(),
            Suggestion.movie_id,
        )
    )
    return paginate(query, page, per_page, make=SuggestedRow)


def create(name: str, by: str, *, password: str | None, email: str | None, is_admin: bool) -> User:
    """Create an account as `accounts.create_user` does and record that in the audit log."""
    user = accounts.create_user(name, password=password, email=email, is_admin=is_admin)
    record(by, "create user", user, {}, {"admin": is_admin, "can log in": password is not None})
    return user


def create_token(name: str, by: str) -> str:
    """Create a token for the user of this name and record that in the audit log; raise UserNotFound."""
    user = accounts.find_user(name)
    audit.record(by, "create token", "user", user.id, user.username)
    # This commits both.
    return accounts.create_token(user)


def set_admin(user_id: int, is_admin: bool, by: str) -> bool:
    """Grant or remove admin rights; return False if nothing had to change.

    Raises:
        UserNotFound: no user has this id.
        InvalidInput: the user is the last admin who can log in.
    """
    admin_ids = lock_admins()
    user = locked(user_id)
    if user.is_admin == is_admin:
        return False
    if not is_admin:
        keep_an_admin(user, admin_ids)
    user.is_admin = is_admin
    record(by, "make admin" if is_admin else "take admin away", user, {"admin": not is_admin}, {"admin": is_admin})
    return True


def revoke_tokens(user_id: int, by: str) -> int:
    """Delete the API tokens of this user and return their number; raise UserNotFound."""
    user = locked(user_id)
    result = db.session.execute(sa.delete(ApiToken).where(ApiToken.user_id == user_id))
    deleted = cast(sa.CursorResult[Any], result).rowcount
    if deleted:
        record(by, "revoke tokens", user, {"tokens": deleted}, {"tokens": 0})
    return deleted


def stop_login(user_id: int, by: str) -> bool:
    """Remove the password, so that the user cannot log in; return False if there was none.

    Raises:
        UserNotFound: no user has this id.
        InvalidInput: the user is the last admin who can log in.
    """
    admin_ids = lock_admins()
    user = locked(user_id)
    if user.password_hash is None:
        return False
    if user.is_admin:
        keep_an_admin(user, admin_ids)
    user.password_hash = None
    record(by, "stop log-in", user, {"can log in": True}, {"can log in": False})
    return True


def draw_password(user_id: int, by: str) -> str:
    """Give the user a random password and return it, which cannot be repeated; raise UserNotFound."""
    user = locked(user_id)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    before = {"can log in": user.password_hash is not None, "password": "old"}
    user.password_hash = hash_password(password)
    record(by, "draw password", user, before, {"can log in": True, "password": "new"})
    return password


def remove_rating(user_id: int, movie_id: int, by: str) -> None:
    """Withdraw a user's rating and record that in the audit log, without a commit; raise NotFound if unrated."""
    row = db.session.execute(
        sa.select(User.username, Movie.title, Rating.value, Rating.timestamp)
        .join(Rating, Rating.user_id == User.id)
        .join(Movie, Movie.id == Rating.movie_id)
        .where(User.id == user_id, Movie.id == movie_id)
    ).first()
    if row is None:
        raise NotFound("Rating not found")
    before = {"movie": row.title, "movie_id": movie_id, "stars": row.value, "rated": row.timestamp.isoformat()}
    audit.record(by, "remove rating", "user", user_id, row.username, before=before)
    ratings.delete_rating(user_id, movie_id)


def locked(user_id: int) -> User:
    """Return the user with a row lock until the commit, or raise UserNotFound."""
    user: User | None = db.session.scalar(
        sa.select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    )
    if user is None:
        raise UserNotFound
    return user


def lock_admins() -> Sequence[int]:
    """Lock the admins who can log in and return their ids; of two concurrent changes, the second sees the first."""
    is_able_admin = (User.is_admin, User.password_hash.is_not(None))
    # The update changes no value: SQLite has no FOR UPDATE and takes its lock with the first write.
    db.session.execute(
        sa.update(User).where(*is_able_admin).values(is_admin=User.is_admin),
        execution_options={"synchronize_session": False},
    )
    return db.session.scalars(sa.select(User.id).where(*is_able_admin)).all()


def keep_an_admin(leaving: User, admin_ids: Sequence[int]) -> None:
    """Roll back and raise InvalidInput unless another admin can log in."""
    if not set(admin_ids) - {leaving.id}:
        db.session.rollback()
        raise InvalidInput("This is the last admin who can log in; make another one first.")


def record(by: str, action: str, user: User, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Add the change to the audit log and commit both."""
    audit.record(by, action, "user", user.id, user.username, before=before, after=after)
    db.session.commit()
