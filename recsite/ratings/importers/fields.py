"""Parsers of single fields of a data set; each raises Refused for an unusable text."""

import re

from recsite.ratings.importers.report import Refused
from recsite.ratings.importers.times import is_null
from recsite.storage.tables import LARGEST_ID

UNUSABLE_TEXT = re.compile("[\x00\ud800-\udfff]")
"NUL, which PostgreSQL cannot store, and surrogates, which stand for bytes that are not UTF-8."
IMDB_ID = re.compile(r"(?:https?://[a-z.]*imdb\.com/title/)?(?:tt)?(\d{1,10})(?:\.0|/)?", re.ASCII)
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


def parse_digits(text: str) -> int:
    """Return the number that these ASCII digits spell, also before '.0'; 0 for any other text.

    The text has at most MAX_NUMBER characters.
    """
    digits = text.removesuffix(".0")
    # int() alone would accept digits of other scripts and underscores.
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_ID_DIGITS else 0


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
    """Return an IMDb id such as 'tt0114709', also without the 'tt' or from an address; None for an empty field."""
    if is_null(text):
        return None
    found = IMDB_ID.fullmatch(text.strip()[:MAX_PROSE])
    if not found or not int(found[1]):
        raise Refused("imdb id is not 'tt' and digits", text)
    return f"tt{found[1]:0>7}"
