"""The state of the database that a user's list depends on; cached responses name it in their key."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from recsite.errors import UserNotFound
from recsite.storage.queries import CommittedRead, run
from recsite.storage.tables import ModelVersion, User
from recsite.suggestions.candidates import CATALOG_GENERATION
from recsite.versions.active import LoadedVersion, recommender

STATES = (
    sa.select(
        User.id,
        User.rating_generation,
        User.list_generation,
        User.list_rating_generation,
        sa.func.coalesce(CATALOG_GENERATION.scalar_subquery(), 0),
        ModelVersion.id,
        ModelVersion.version_name,
    )
    .select_from(User)
    .outerjoin(ModelVersion, ModelVersion.is_active == sa.true())
)
STATE = CommittedRead(STATES.where(User.id == sa.bindparam("user_id")))
ACTIVE_ID_COLUMN = 5
"Index of the active version's id in a row of STATES."


class Freshness(NamedTuple):
    """Everything a user's list depends on apart from its options; equal states have equal lists.

    After `loaded` come the columns of STATES, in their order.
    """

    loaded: LoadedVersion | None
    "The version that scores. It is looked up once, so that an activation meanwhile cannot mix two versions."
    user_id: int
    rating_generation: int
    list_generation: int
    list_rating_generation: int | None
    catalog_generation: int
    active_id: int | None
    active_name: str | None

    @property
    def version_id(self) -> int | None:
        """Return the id of the loaded version, else of the active one, whose stored rows can still be read."""
        return self.loaded.version_id if self.loaded else self.active_id

    @property
    def version_name(self) -> str | None:
        """Return the name of that version."""
        return self.loaded.version_name if self.loaded else self.active_name

    def cache_key(self) -> str:
        """Return a cache key that changes with everything the list depends on."""
        # A process that could not load the active version only has the stored rows, so its lists may differ.
        version = self.loaded.version_id if self.loaded else f"{self.active_id}-not-loaded"
        generations = f"{self.rating_generation}.{self.list_generation}.{self.catalog_generation}"
        return f"suggestions_{self.user_id}_v{version}_{generations}"


def find_freshness(user_id: int) -> Freshness:
    """Read the current state of the user's list in one query.

    Raises:
        UserNotFound: no user has this id.
    """
    rows = STATE.rows(user_id=user_id)
    if not rows:
        raise UserNotFound
    return Freshness(recommender.current(rows[0][ACTIVE_ID_COLUMN]), *rows[0])


def find_states(user_ids: Sequence[int]) -> dict[int, Freshness]:
    """Read the current state of the lists of these users in one query; return them by user id, ascending.

    Raises:
        UserNotFound: no user has one of these ids.
    """
    rows: Sequence[Sequence[Any]] = run(STATES.where(User.id.in_(user_ids)).order_by(User.id)).all()
    loaded = recommender.current(rows[0][ACTIVE_ID_COLUMN]) if rows else None
    states = {row[0]: Freshness(loaded, *row) for row in rows}
    for user_id in user_ids:
        if user_id not in states:
            raise UserNotFound(user_id)
    return states
