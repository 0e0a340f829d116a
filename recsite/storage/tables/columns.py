"""Column types and bounds shared by the tables."""

from datetime import UTC, datetime

import sqlalchemy as sa

LARGEST_ID = 2**31 - 1
MOVIE_ID_WITHOUT_TMDB = 1_000_000_000
"A movie without a TMDB id gets this plus its MovieLens id."
LARGEST_MOVIELENS_ID = 499_999_999
FIRST_SITE_MOVIE_ID = 2_000_000_000
"A movie that only the site knows gets an id from this one on."
LONGEST_SITE_ID = 200
"Characters of the ids that a site gives to its users and movies."
SITE_ID = f"[A-Za-z0-9._:@-]{{1,{LONGEST_SITE_ID}}}"
"The pattern of such an id, and in words:"
SITE_ID_IN_WORDS = f"1 to {LONGEST_SITE_ID} characters of A-Z, a-z, 0-9 and -_.:@"


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class UTCDateTime(sa.types.TypeDecorator[datetime]):
    """A timezone-aware datetime. SQLite stores no time zone, so it stores UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the value in UTC.

        Raises:
            ValueError: the value has no time zone.
        """
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the value with its time zone, which is UTC where the database stores none."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
