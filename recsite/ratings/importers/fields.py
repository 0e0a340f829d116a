"""Parsers of single fields of a data set; each raises Refused for an unusable text."""

import functools
import re
from datetime import UTC, date, datetime

from recsite.ratings.importers.report import Refused
from recsite.storage.tables import LARGEST_ID

HALF_STARS = frozenset(half / 2 for half in range(1, 11))
STARS = {str(value): value for value in HALF_STARS} | {str(whole): float(whole) for whole in range(1, 6)}
"The usual spellings. A lookup is faster than float(), which matters for thirty million ratings."
LATEST_SECOND = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"One day before the largest datetime, because PostgreSQL returns times in the time zone of the session."
UNUSABLE_TEXT = re.compile("[\x00\ud800-\udfff]")
"NUL, which PostgreSQL cannot store, and surrogates, which stand for bytes that are not UTF-8."
MAX_ID_DIGITS = 12
MAX_NUMBER = 40
"Characters of a number or time, which bounds the work for a longer field and the memory of the cache."
MAX_PROSE = 100_000
"Characters."


def whole_id(text: str, name: str, largest: int = LARGEST_ID) -> int:
    """Return a whole number from 1 to `largest`; '862.0', as pandas writes a column with gaps, is 862."""
    found = parse_digits(text.strip()) if len(text) <= MAX_NUMBER else 0
    if 0 < found <= largest:
        return found
    raise Refused(f"{name} is not a whole number from 1 to {largest:,}", text)


@functools.lru_cache(2**16)
def parse_digits(text: str) -> int:
    """Return the number that these ASCII digits spell, also before '.0'; 0 for any other text.

    Results are cached, because a data set repeats the same ids. The text has at most MAX_NUMBER characters.
    """
    digits = text.removesuffix(".0")
    # int() alone would accept digits of other scripts and underscores.
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_ID_DIGITS else 0


def stars(text: str) -> float:
    """Return a rating from 0.5 to 5.0 in halves; nothing is rounded."""
    value = STARS.get(text)
    if value is not None:
        return value
    try:
        # float() would accept '4_5'.
        value = float(text.replace("_", "?")) if len(text) <= MAX_NUMBER else 0.0
    except ValueError:
        value = 0.0
    if value not in HALF_STARS:
        raise Refused("rating is not from 0.5 to 5.0 in halves", text)
    return value


def moment(text: str) -> datetime | None:
    """Return a time in Unix seconds or ISO 8601 (UTC unless it names a zone); None for an empty field."""
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS and int(text) <= LATEST_SECOND:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        if len(text) > MAX_NUMBER:
            raise ValueError
        when = datetime.fromisoformat(text)
        when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        if not text.isdigit() and 0 <= when.timestamp() <= LATEST_SECOND:
            return when
    except (ValueError, OverflowError):
        pass
    raise Refused("timestamp is neither seconds since 1970 nor an ISO date, up to the year 9999", text)


def day(text: str) -> date | None:
    """Return a date as YYYY-MM-DD; None for an empty field."""
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
    """Return the text with each run of white space as one space; '' for an empty field."""
    return prose(" ".join(text.split()), name, longest)


def prose(text: str, name: str, longest: int = MAX_PROSE) -> str:
    """Return the text without white space at its ends; '' for an empty field."""
    text = text.strip()
    if len(text) > longest:
        raise Refused(f"{name} is longer than {longest:,} characters", text)
    if UNUSABLE_TEXT.search(text):
        raise Refused(f"{name} is not valid UTF-8 text", text)
    return text


def imdb_id(text: str) -> str | None:
    """Return an IMDb id such as 'tt0114709', also without the 'tt' in the file; None for an empty field."""
    text = text.strip()
    if not text:
        return None
    if not re.fullmatch(r"(tt)?\d{5,10}", text, re.ASCII):
        raise Refused("imdb id is not 'tt' and digits", text)
    return f"tt{text.removeprefix('tt'):0>7}"
