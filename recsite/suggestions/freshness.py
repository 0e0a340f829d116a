"""What a list depends on: the state of the database that a cached answer is true for."""

from typing import NamedTuple

import sqlalchemy as sa

from recsite.errors import UserNotFound
from recsite.storage.queries import ReadyQuery
from recsite.storage.tables import Counter, ModelVersion, User
from recsite.versions.active import LoadedVersion, recommender

CATALOG = sa.select(Counter.value).where(Counter.name == "catalog").scalar_subquery()
STATE = ReadyQuery(
    sa.select(
        User.id,
        User.rating_generation,
        User.list_generation,
        User.list_rating_generation,
        sa.func.coalesce(CATALOG, 0),
        ModelVersion.id,
        ModelVersion.version_name,
    )
    .select_from(User)
    .outerjoin(ModelVersion, ModelVersion.is_active == sa.true())
    .where(User.id == sa.bindparam("user_id"))
)
ACTIVE_ID = 5
"The place of the active version's id in a row of STATE."


class Freshness(NamedTuple):
    """All that a user's list depends on beside its options; two equal ones have equal lists."""

    loaded: LoadedVersion | None
    "The version that scores, taken once, so that a switch in between does not mix two."
    user_id: int
    rating_generation: int
    list_generation: int
    list_rating_generation: int | None
    catalog_generation: int
    active_id: int | None
    active_name: str | None

    @property
    def version_id(self) -> int | None:
        """The version that answers: the loaded one, else the one whose rows are in the database."""
        return self.loaded.version_id if self.loaded else self.active_id

    @property
    def version_name(self) -> str | None:
        """The name of the version that answers."""
        return self.loaded.version_name if self.loaded else self.active_name

    def cache_key(self) -> str:
        """A cache key that no change leaves standing."""
        # A process that could not load the active version knows its stored rows alone, and answers otherwise.
        version = self.loaded.version_id if self.loaded else f"{self.active_id}-not-loaded"
        generations = f"{self.rating_generation}.{self.list_generation}.{self.catalog_generation}"
        return f"suggestions_{self.user_id}_v{version}_{generations}"


def find_freshness(user_id: int) -> Freshness:
    """What the user's list depends on now, in one query; raises UserNotFound."""
    rows = STATE.rows(user_id=user_id)
    if not rows:
        raise UserNotFound
    state = rows[0]
    return Freshness(recommender.current(state[ACTIVE_ID]), *state)
