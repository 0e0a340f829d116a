"""What may stand in one field of a data set; each function raises Refused for anything else."""

import functools
import re
from datetime import UTC, date, datetime

from recsite.ratings.importers.report import Refused
from recsite.storage.tables import LARGEST_ID

HALF_STARS = frozenset(half / 2 for half in range(1, 11))
STARS = {str(value): value for value in HALF_STARS} | {str(whole): float(whole) for whole in range(1, 6)}
"The usual spellings, for looking one up costs less than reading a number thirty million times."
LATEST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"A day before time ends, for PostgreSQL gives times back in the time zone of the session."
UNUSABLE_TEXT = re.compile("[\x00\ud800-\udfff]")
"No database takes NUL or half a surrogate pair; bytes that are not UTF-8 are read as the latter."


@functools.lru_cache(2**16)
def whole_id(text: str, name: str, largest: int = LARGEST_ID) -> int:
    """A whole number from 1 to `largest`; '862.0', as pandas writes a column with gaps, is 862.

    Remembered, for among ratings the same ids come again and again.
    """
    digits = text.strip().removesuffix(".0")
    # Only ASCII digits, and not many: int() takes other scripts and underscores, and is slow on a million digits.
    if digits.isascii() and digits.isdigit() and len(digits) <= 12 and 0 < int(digits) <= largest:
        return int(digits)
    raise Refused(f"{name} is not a whole number from 1 to {largest:,}", text)


def stars(text: str) -> float:
    """A rating from 0.5 to 5.0 in halves, exactly as it stands there."""
    value = STARS.get(text)
    if value is not None:
        return value
    try:
        value = float(text.replace("_", "?"))
    except ValueError:
        value = 0.0
    if value not in HALF_STARS:
        raise Refused("rating is not from 0.5 to 5.0 in halves", text)
    return value


def moment(text: str) -> datetime | None:
    """A time given in seconds since 1970 or as ISO 8601 (in UTC unless it names a zone); None for nothing."""
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= LATEST_SECOND:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        when = datetime.fromisoformat(text)
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        if not text.isdigit() and 0 <= when.timestamp() <= LATEST_SECOND:
            return when
    except (ValueError, OverflowError):
        pass
    raise Refused("timestamp is neither seconds since 1970 nor an ISO date, up to the year 9999", text)


def day(text: str) -> date | None:
    """A date as YYYY-MM-DD; None for nothing."""
    text = text.strip()
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Refused("release date is not a date as YYYY-MM-DD", text)


def one_line(text: str, name: str, longest: int) -> str:
    """Text without line breaks or spaces around it, '' for nothing."""
    return prose(" ".join(text.split()), name, longest)


def prose(text: str, name: str, longest: int = 100_000) -> str:
    """Text without spaces around it, '' for nothing."""
    text = text.strip()
    if UNUSABLE_TEXT.search(text):
        raise Refused(f"{name} is not valid UTF-8 text", text.encode(errors="backslashreplace").decode())
    if len(text) > longest:
        raise Refused(f"{name} is longer than {longest:,} characters", text)
    return text


def imdb_id(text: str) -> str | None:
    """'tt0114709', also where the file leaves out the 'tt'; None for nothing."""
    text = text.strip()
    if not text:
        return None
    if not re.fullmatch(r"(tt)?\d{5,10}", text, re.ASCII):
        raise Refused("imdb id is not 'tt' and digits", text)
    return f"tt{text.removeprefix('tt'):0>7}"
