"""Scales of ratings: stars in halves, 1 to 10, 1 to 20, 0 to 100, thumbs; all become stars in halves."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from recsite.errors import BrokenDataset
from recsite.ratings.importers.report import Refused

MAX_LENGTH = 40
"Characters of a rating."
DECIMAL = re.compile(r"[+-]?\d{1,12}(?:[.,]\d{0,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
FRACTION = re.compile(r"(\d{1,3}(?:[.,]\d+)?) ?/ ?(\d{1,3})", re.ASCII)
"As in 8/10."
STAR_SIGNS = re.compile("((?:★|\N{WHITE MEDIUM STAR}|\\*)*)(½?)☆*")
THUMBS = {
    **dict.fromkeys(("1", "1.0", "up", "like", "liked", "true", "yes", "love", "loved", "thumbs up", "👍"), 5.0),
    **dict.fromkeys(("0", "0.0", "-1", "-1.0", "down", "dislike", "disliked", "false", "no", "thumbs down", "👎"), 1.0),
}
"Stars of a thumb up and of one down."
FITTING_SHARE = 0.95
"""A scale is found where at least this share of the ratings fit it, and more than the rest are above smaller scales.

More than 5 % refused rows stop an import anyway."""


@dataclass(frozen=True)
class Scale:
    """One scale of ratings."""

    name: str
    "As the option --scale names it."
    top: float
    "The best rating, worth five stars; 0 for thumbs."
    step: float
    "Ratings that the scale is known by are multiples of this."
    is_rounded: bool = False
    "Whether ratings between the half stars are rounded, halves upward, instead of refused."

    @property
    def lowest(self) -> float:
        """Return the lowest rating; only a scale to 100 begins at 0."""
        return 0.0 if self.top >= 100 else min(self.step, 1.0)

    def fits(self, text: str) -> bool:
        """Return whether the text is a rating by which this scale is known."""
        try:
            stars(text, self)
        except Refused:
            return False
        number = number_of(text)
        return self.top == 0 or number is None or number % self.step == 0

    def __str__(self) -> str:
        if self.top == STARS.top:
            return "in half stars"
        return f"from {self.lowest:g} to {self.top:g}" if self.top else "as thumbs"


STARS = Scale("5", 5, 0.5)
TEN = Scale("10", 10, 1, is_rounded=True)
BY_THUMBS = Scale("thumbs", 0, 1)
KNOWN = (STARS, BY_THUMBS, TEN, Scale("20", 20, 1, is_rounded=True), Scale("100", 100, 1, is_rounded=True))
"In the order in which they are tried; a file with ratings up to 5 alone is in stars."
NAMES = tuple(scale.name for scale in KNOWN)


def named(name: str) -> Scale:
    """Return the scale of this name; on a scale that somebody names, ratings between half stars are rounded."""
    scale = KNOWN[NAMES.index(name)]
    return Scale(scale.name, scale.top, scale.step, is_rounded=True)


def find_scale(counts: Mapping[str, int], file_name: str) -> Scale:
    """Return the first scale that at least FITTING_SHARE of the ratings fit.

    Args:
        counts: numbers of rows by the text of the rating, for the whole file.
        file_name: for the message.

    Raises:
        BrokenDataset: no scale fits although most texts are numbers; the message says what to do.
    """
    numeric = {text.strip().lower(): number for text, number in counts.items() if is_rating(text)}
    numbers = {text: number for text in numeric if (number := number_of(text)) is not None}
    total = sum(numeric.values())
    if total * 2 < sum(counts.values()) or not total:
        return STARS
    if numeric.keys() <= THUMBS.keys() and set(numbers.values()) != {1.0}:
        return BY_THUMBS
    smaller = 0.0
    for scale in (scale for scale in KNOWN if scale != BY_THUMBS):
        fitting = sum(numeric[text] for text in numeric if scale.fits(text))
        above = sum(numeric[text] for text, number in numbers.items() if number > smaller)
        if fitting >= FITTING_SHARE * total and above > (1 - FITTING_SHARE) * total:
            return scale
        smaller = scale.top
    if max(numbers.values()) <= STARS.top:
        return STARS
    raise BrokenDataset(
        f"The ratings in {file_name} go from {min(numbers.values()):g} to {max(numbers.values()):g} and fit no scale "
        f"that is certain; say which one it is with --scale ({', '.join(NAMES)})."
    )


def is_rating(text: str) -> bool:
    """Return whether the text looks like a rating on some scale."""
    return number_of(text) is not None or text.strip().lower() in THUMBS


def number_of(text: str) -> float | None:
    """Return the number, also with a decimal comma or as '★★★½' in stars; None for another text."""
    text = text.strip()
    if not text or len(text) > MAX_LENGTH:
        return None
    if DECIMAL.fullmatch(text):
        return float(text.replace(",", "."))
    # Without the sign that makes an emoji of a letter.
    signs = STAR_SIGNS.fullmatch(text.replace("\ufe0f", ""))
    return len(signs[1]) + len(signs[2]) / 2 if signs and (signs[1] or signs[2]) else None


def stars(text: str, scale: Scale = STARS) -> float:
    """Return the rating in stars from 0.5 to 5.0 in halves.

    Args:
        text: the rating; '8/10' names its own scale.
        scale: the scale of the others.

    Raises:
        Refused: the text is no rating on this scale.
    """
    wrong = Refused(f"the rating does not fit the others, which are {scale}", text)
    if scale.top == 0:
        if (thumb := THUMBS.get(text.strip().lower())) is None:
            raise wrong
        return thumb
    if (
        len(text) <= MAX_LENGTH
        and (fraction := FRACTION.fullmatch(text.strip()))
        and int(fraction[2]) in (5, 10, 20, 100)
    ):
        number: float | None = float(fraction[1].replace(",", "."))
        scale = Scale(fraction[2], int(fraction[2]), 1, is_rounded=True)
    else:
        number = number_of(text)
    if number is None or not scale.lowest <= number <= scale.top:
        if scale.top == 5:
            raise Refused("rating is not from 0.5 to 5.0 in halves", text)
        raise wrong
    halves = number * 10 / scale.top
    if halves != int(halves) and not scale.is_rounded:
        raise Refused("rating is not from 0.5 to 5.0 in halves", text)
    # Half a step is rounded upward, and the lowest rating is half a star.
    return max(math.floor(halves + 0.5), 1) / 2
