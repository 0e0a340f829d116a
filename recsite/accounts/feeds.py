"""Feeds: secret addresses at which programs read the suggestions for one user, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from recsite.accounts.tokens import add_token, is_worth_noting, note_use, token_sha256
from recsite.errors import InvalidInput, NotFound
from recsite.extensions import db
from recsite.storage import audit
from recsite.storage.queries import run
from recsite.storage.tables import FeedToken, User


@dataclass(frozen=True)
class Feed:
    """A feed and its user."""

    id: int
    user_id: int
    username: str
    created_at: datetime
    last_used_at: datetime | None


MOST = 20
"Feeds of one user."


def create(user_id: int) -> str:
    """Return the token of a new feed of this user; only its hash is stored, so it cannot be shown again.

    Raises:
        InvalidInput: the user has MOST feeds.
    """
    if len(list_of(user_id)) >= MOST:
        raise InvalidInput(f"You have {MOST} feeds, which is the most; remove one that you do not use.")
    token = add_token(FeedToken(user_id=user_id))
    db.session.commit()
    return token


def list_of(user_id: int) -> Sequence[FeedToken]:
    """Return the feeds of this user, the oldest first."""
    return db.session.scalars(sa.select(FeedToken).filter_by(user_id=user_id).order_by(FeedToken.id)).all()


def list_all() -> Sequence[Feed]:
    """Return the feeds of all users, the oldest first."""
    query = sa.select(FeedToken, User.username).join(User, User.id == FeedToken.user_id).order_by(FeedToken.id)
    return [
        Feed(row.id, row.user_id, name, row.created_at, row.last_used_at) for row, name in db.session.execute(query)
    ]


def revoke_as_admin(feed_id: int, by: str) -> None:
    """Delete any user's feed, which stops working at once, and record it; raise NotFound if there is none."""
    feed = db.session.get(FeedToken, feed_id)
    if feed is None:
        raise NotFound("Feed not found. Its owner may have removed it.")
    owner = db.session.get_one(User, feed.user_id)
    db.session.delete(feed)
    audit.record(by, "revoke feed", "user", owner.id, owner.username, before={"feed": feed_id})
    db.session.commit()


def revoke(feed_id: int, user_id: int) -> None:
    """Delete the feed, which stops working at once; raise NotFound if the user has none with this id."""
    deleted = run(sa.delete(FeedToken).where(FeedToken.id == feed_id, FeedToken.user_id == user_id)).rowcount
    if not deleted:
        raise NotFound("Feed not found")
    db.session.commit()


def require_user_id(token: str) -> int:
    """Return the id of the user whose feed this is, and note the time of use.

    Raises:
        NotFound: the token is unknown or revoked.
    """
    feed = db.session.scalar(sa.select(FeedToken).filter_by(token_sha256=token_sha256(token)))
    if feed is None:
        raise NotFound("There is no such feed. Its owner may have removed it.")
    user_id: int = feed.user_id
    if is_worth_noting(feed):
        note_use(feed)
    return user_id
