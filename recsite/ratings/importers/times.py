"""Times of ratings and days of release, in the spellings that spreadsheets, data bases and scripts write."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from recsite.ratings.importers.report import Refused
from recsite.storage.tables import now

MAX_LENGTH = 40
"Characters, which bounds the work for a longer field."
NULL_WORDS = frozenset(("", "null", "\\n", "nan", "none", "na", "n/a", "nat", "nil", "-", "--", "undefined", "#n/a"))
"What data bases and spreadsheets write into an empty field, in lower case."
NUMBER = re.compile(r"\d{1,20}(?:\.\d*)?(?:[eE]\+?\d{1,2})?", re.ASCII)
EIGHT_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII)
FOURTEEN_DIGITS = re.compile(EIGHT_DIGITS.pattern + r"([01]\d|2[0-3])[0-5]\d[0-5]\d", re.ASCII)
"As in 20211231235959, which as milliseconds would be beyond the year 2570."
COMPACT = re.compile(EIGHT_DIGITS.pattern + r"T([01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
"As in 20211231T235959Z."
DAY_MONTH = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?:,?[ T]+(.+))?", re.ASCII)
"12/31/2021, 31.12.21 and the like, with a time behind it."
DAY_NUMBER = re.compile(r"[2-5]\d{4}(?:\.\d+)?", re.ASCII)
"Days since 1900 as Excel counts them, from 1954 to 2064."
ISO = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}(?:[ T].*)?", re.ASCII)
ZONE = re.compile(r" ?(?:UTC|GMT|Z)$|(?<=\d) (?=[+-]\d\d:?\d\d$)")
"'UTC' at the end, and the blank before '+0200', which datetime.fromisoformat does not take."
NAMED_MONTHS = (
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y, %H:%M"),
    *("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y"),
)
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"One day before the largest datetime, because PostgreSQL returns times in the time zone of the session."
UNITS = ((1e11, 1), (1e14, 10**3), (1e17, 10**6), (1e20, 10**9))
"A number below the first is in the unit that the second gives per second: seconds until the year 5138."


def is_null(text: str) -> bool:
    """Return whether the field is empty or has one of NULL_WORDS."""
    return (len(text) <= MAX_LENGTH and text.strip().lower() in NULL_WORDS) or not text.strip()


def has_day_first(texts: Iterable[str]) -> bool | None:
    """Return whether dates such as 31/12/2021 in a column begin with the day; None if nothing or both says so."""
    first = second = False
    for text in texts:
        if (found := DAY_MONTH.fullmatch(text.strip()[:MAX_LENGTH])) and found[2] != ".":
            first |= is_surely_day(found[1], found[4])
            second |= int(found[3]) > 12
    return first if first != second else None


def is_surely_day(number: str, year: str) -> bool:
    """Return whether the first number of a date is a day: no month, and no year if the year has two digits."""
    return int(number) > (12 if len(year) == 4 else max(12, now().year % 100))


def are_day_numbers(texts: Iterable[str]) -> bool:
    """Return whether all times of a column are numbers of days as Excel writes them."""
    given = [text.strip()[:MAX_LENGTH] for text in texts if not is_null(text)]
    return bool(given) and all(DAY_NUMBER.fullmatch(text) for text in given)


def moment(text: str, day_first: bool | None = None, *, has_day_numbers: bool = False) -> datetime | None:
    """Return a time in UTC; None for an empty field.

    Numbers count seconds, milliseconds, microseconds or nanoseconds since 1970, whichever gives a year before 5138;
    eight digits are a day as 20200102 where there is such a day. A time without a zone is in UTC.

    Args:
        text: the field.
        day_first: whether 03/04/2021 is in April; with None only days beyond the 12th are known.
        has_day_numbers: whether a number counts days, see `are_day_numbers`.

    Raises:
        Refused: the text is no time, or a date that can be read in two ways.
    """
    if is_null(text):
        return None
    plain = text.strip()
    try:
        read = from_day_number if has_day_numbers else lambda text: parse(text, day_first)
        found = read(plain) if len(plain) <= MAX_LENGTH else None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Refused(
            "timestamp is neither seconds since 1970 nor a date such as 2021-12-31, up to the year 9999", text
        )
    if found and not EPOCH <= found <= LATEST:
        raise Refused("timestamp is before 1970 or after the year 9999", text)
    return found


def parse(text: str, day_first: bool | None) -> datetime | None:
    """Return the time that the text spells, None for another text; raise ValueError for a day that does not exist."""
    if EIGHT_DIGITS.fullmatch(text):
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    if FOURTEEN_DIGITS.fullmatch(text):
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    if COMPACT.fullmatch(text):
        return as_utc(datetime.fromisoformat(text))
    if NUMBER.fullmatch(text):
        return from_epoch(text)
    if found := DAY_MONTH.fullmatch(text):
        return from_day_month(found, day_first, text)
    if ISO.fullmatch(text):
        return from_iso(text)
    for form in NAMED_MONTHS:
        try:
            return as_utc(datetime.strptime(text, form))  # noqa: DTZ007  some forms have a zone
        except ValueError:
            continue
    return None


def as_utc(when: datetime) -> datetime:
    """Return the time in UTC; without a zone it is in UTC already."""
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def from_day_number(text: str) -> datetime:
    """Return the time after this number of days since 1900 as Excel counts them, to the second."""
    return EXCEL_EPOCH + timedelta(seconds=round(float(text) * 86_400))


def from_epoch(text: str) -> datetime | None:
    """Return the time after this number of units since 1970, exact to the microsecond."""
    number = int(text) if text.isdigit() else float(text)
    unit = next((unit for limit, unit in UNITS if number < limit), None)
    if unit is None:
        return None
    # In whole numbers: a float has too few digits for microseconds.
    micros = number * 10**6 // unit if isinstance(number, int) else round(number * 10**6 / unit)
    return EPOCH + timedelta(microseconds=micros)


def from_iso(text: str) -> datetime:
    """Return the time of an ISO 8601 text, also with slashes or dots, a blank, one-digit months, a fraction, a zone."""
    day, clock = (*re.split("[ T]", text, maxsplit=1), "")[:2]
    year, month, of_month = (int(part) for part in re.split("[-/.]", day))
    clock = ZONE.sub("", clock).replace(",", ".")
    if clock[-2:].upper() in ("AM", "PM"):
        return with_clock(datetime(year, month, of_month, tzinfo=UTC), clock)
    if re.fullmatch(r"\d:.*", clock):
        clock = f"0{clock}"
    return as_utc(datetime.fromisoformat(f"{year:04}-{month:02}-{of_month:02}{' ' if clock else ''}{clock}"))


def from_day_month(found: re.Match[str], day_first: bool | None, text: str) -> datetime:
    """Return the time of a date with the year last; raise Refused if nothing tells the day from the month."""
    first, sign, second, year, clock = found.groups()
    if len(year) == 2 and sign == "-":
        raise ValueError("21-12-31 and 31-12-21 look alike")
    if sign == "." or is_surely_day(first, year):
        day_first = True
    elif int(second) > 12:
        day_first = False
    if day_first is None and (first != second or len(year) == 2):
        raise Refused("the date can be read in two ways: nothing in its column tells the day from the month", text)
    day, month = (first, second) if day_first else (second, first)
    when = datetime(full_year(year), int(month), int(day), tzinfo=UTC)
    return with_clock(when, clock) if clock else when


def full_year(year: str) -> int:
    """Return the year of four digits, of two digits the latest one that is not in the future."""
    if len(year) == 4:
        return int(year)
    return 2000 + int(year) if int(year) <= now().year % 100 else 1900 + int(year)


def with_clock(when: datetime, clock: str) -> datetime:
    """Return the day at this time of the day; raise ValueError for another text."""
    for form in CLOCKS:
        try:
            at = datetime.strptime(ZONE.sub("", clock.strip()), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return datetime.combine(when, at.timetz())
    raise ValueError(clock)


def day(text: str, day_first: bool | None = None) -> date | None:
    """Return a day of release, also before 1970; None for an empty field; raise Refused for another text."""
    if is_null(text):
        return None
    plain = text.strip()
    try:
        found = parse(plain, day_first) if len(plain) <= MAX_LENGTH and not plain.isdigit() else None
        if EIGHT_DIGITS.fullmatch(plain):
            found = parse(plain, day_first)
        if (parts := DAY_MONTH.fullmatch(plain)) and len(parts[4]) == 2:
            # The film may be of either century.
            found = None
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise Refused("release date is not a date such as 1995-12-15", text)
    return found.date()
