"""What admins do to people: finding them, making admins, ending log-ins and tokens; each change is in the log."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from recsite import accounts, ratings
from recsite.errors import InvalidInput, NotFound, UserNotFound
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.paging import Page
from recsite.storage.tables import ApiToken, ModelVersion, Movie, Rating, Suggestion, User

WHO = ("everybody", "with a login", "admins")
"Whom `search` looks through."
PASSWORD_BYTES = 12


@dataclass(frozen=True)
class Member:
    """A user, and how much there is of them."""

    user: User
    ratings: int
    tokens: int


@dataclass(frozen=True)
class SuggestedRow:
    """One row of a user's suggestions, as the table has it."""

    movie: Movie
    row: Suggestion
    version_name: str | None


def search(query: str | None, who: str, page: int, per_page: int) -> Page[Member]:
    """The users with `query` in their name or address, or with this id, in the order of their ids."""
    found = sa.select(User)
    if who == "with a login":
        found = found.where(User.password_hash.is_not(None))
    elif who == "admins":
        found = found.where(User.is_admin)
    if query:
        is_meant = User.username.icontains(query, autoescape=True) | User.email.icontains(query, autoescape=True)
        if query.isascii() and query.isdigit() and len(query) < 10:
            is_meant |= User.id == int(query)
        found = found.where(is_meant)
    total = db.session.scalar(sa.select(sa.func.count()).select_from(found.subquery())) or 0
    users = db.session.scalars(found.order_by(User.id).limit(per_page).offset((page - 1) * per_page)).all()
    return Page(members(users), page, per_page, total)


def members(users: Sequence[User]) -> list[Member]:
    """These users with their counts, in the same order."""
    user_ids = [user.id for user in users]
    rated, tokens = (counted(table, user_ids) for table in (Rating, ApiToken))
    return [Member(user, rated.get(user.id, 0), tokens.get(user.id, 0)) for user in users]


def counted(table: type[Rating] | type[ApiToken], user_ids: Sequence[int]) -> dict[int, int]:
    """How many rows of the table belong to each of these users, who have any."""
    rows = db.session.execute(
        sa.select(table.user_id, sa.func.count()).where(table.user_id.in_(user_ids)).group_by(table.user_id)
    )
    return {row[0]: row[1] for row in rows}


def find(user_id: int) -> Member:
    """The user of this id; raises UserNotFound."""
    user = db.session.get(User, user_id)
    if user is None:
        raise UserNotFound
    return members([user])[0]


def suggestions_of(user_id: int, page: int, per_page: int) -> Page[SuggestedRow]:
    """Every row that the user has or had: those of the list first, in their order, then the newest of the others."""
    find(user_id)
    mine = sa.select(Movie, Suggestion, ModelVersion.version_name).where(Suggestion.user_id == user_id)
    total = db.session.scalar(sa.select(sa.func.count()).where(Suggestion.user_id == user_id)) or 0
    is_listed = Suggestion.active & ~Suggestion.did_rate
    rows = db.session.execute(
        mine.join(Movie, Movie.id == Suggestion.movie_id)
        .outerjoin(ModelVersion, ModelVersion.id == Suggestion.model_version_id)
        .order_by(
            sa.case((is_listed, 0), else_=1),
            sa.case((is_listed, Suggestion.rank)),
            Suggestion.timestamp.desc(),
            Suggestion.movie_id,
        )
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return Page([SuggestedRow(*row) for row in rows], page, per_page, total)


def create(name: str, by: str, *, password: str | None, email: str | None, is_admin: bool) -> User:
    """The new account, as accounts.create_user makes it; raises InvalidInput."""
    user = accounts.create_user(name, password=password, email=email, is_admin=is_admin)
    log(by, "create user", user, {}, {"admin": is_admin, "can log in": password is not None})
    return user


def create_token(name: str, by: str) -> str:
    """A new token that acts as the user of this name, as accounts.create_token makes it; raises UserNotFound."""
    user = accounts.find_user(name)
    audit.record(by, "create token", "user", user.id, user.username)
    # Commits both.
    return accounts.create_token(user)


def set_admin(user_id: int, is_admin: bool, by: str) -> bool:
    """The user is an admin, or is none; False when that was so already.

    Raises UserNotFound, and InvalidInput where nobody who can log in would be left to look after the site.
    """
    admin_ids = lock_admins()
    user = locked(user_id)
    if user.is_admin == is_admin:
        return False
    if not is_admin:
        keep_an_admin(user, admin_ids)
    user.is_admin = is_admin
    log(by, "make admin" if is_admin else "take admin away", user, {"admin": not is_admin}, {"admin": is_admin})
    return True


def revoke_tokens(user_id: int, by: str) -> int:
    """No API token acts as this user any more; returns how many did. Raises UserNotFound."""
    user = locked(user_id)
    result = db.session.execute(sa.delete(ApiToken).where(ApiToken.user_id == user_id))
    gone = cast(sa.CursorResult[Any], result).rowcount
    if gone:
        log(by, "revoke tokens", user, {"tokens": gone}, {"tokens": 0})
    return gone


def stop_login(user_id: int, by: str) -> bool:
    """The user cannot log in until a new password is drawn; False when that was so already.

    Raises UserNotFound, and InvalidInput for the last admin.
    """
    admin_ids = lock_admins()
    user = locked(user_id)
    if user.password_hash is None:
        return False
    if user.is_admin:
        keep_an_admin(user, admin_ids)
    user.password_hash = None
    log(by, "stop log-in", user, {"can log in": True}, {"can log in": False})
    return True


def draw_password(user_id: int, by: str) -> str:
    """The user's new password, drawn at random; it is not kept, so this is the one time it is seen."""
    user = locked(user_id)
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    before, user.password_hash = user.password_hash is not None, accounts.hash_of(password)
    log(by, "draw password", user, {"can log in": before, "password": "old"}, {"can log in": True, "password": "new"})
    return password


def remove_rating(user_id: int, movie_id: int, by: str) -> None:
    """Withdraw a user's rating and record that in the audit log. Does not commit.

    Raises:
        NotFound: the user has not rated this movie.
    """
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
    """The user, whose row nobody else changes until the commit; raises UserNotFound."""
    user: User | None = db.session.scalar(
        sa.select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    )
    if user is None:
        raise UserNotFound
    return user


def lock_admins() -> Sequence[int]:
    """The ids of the admins who can log in; of two changes of admins the second waits here, and sees the first."""
    can_lead = (User.is_admin, User.password_hash.is_not(None))
    # An update that changes nothing: SQLite locks for writing alone, and knows no FOR UPDATE.
    db.session.execute(
        sa.update(User).where(*can_lead).values(is_admin=User.is_admin),
        execution_options={"synchronize_session": False},
    )
    return db.session.scalars(sa.select(User.id).where(*can_lead)).all()


def keep_an_admin(leaving: User, admin_ids: Sequence[int]) -> None:
    """Somebody else can look after the site; raises InvalidInput."""
    if not set(admin_ids) - {leaving.id}:
        db.session.rollback()
        raise InvalidInput("This is the last admin who can log in; make another one first.")


def log(by: str, action: str, user: User, before: dict[str, Any], after: dict[str, Any]) -> None:
    """The change of this user is in the log, and both are committed."""
    audit.record(by, action, "user", user.id, user.username, before=before, after=after)
    db.session.commit()
