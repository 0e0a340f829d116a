"""The result of an import: counts that add up, and the refused rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

REFUSALS_KEPT = 20
"Refused rows kept for each reason, which bounds the memory for a file of a million bad rows."
MAX_TEXT = 40
"Characters kept of a refused field."


class Refused(Exception):
    """Refusal of a row; the import goes on without it."""

    def __init__(self, reason: str, given: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        "Refusals are counted by reason, so equal faults have equal texts."
        self.given = given


@dataclass(frozen=True)
class Refusal:
    """One refused row."""

    file: str
    line: int
    "Counted from 1; the first line of a row of several."
    given: str


@dataclass
class Count:
    """Numbers of rows of one kind: read = new + changed + unchanged + merged + refused."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    merged: int = 0
    "Superseded by another row for the same movie, or the same user and movie."
    refused: int = 0

    def settle(self) -> None:
        """Set `unchanged` to the rows that are counted nowhere else."""
        self.unchanged = self.read - self.new - self.changed - self.merged - self.refused


@dataclass
class Report:
    """The result of one import."""

    movies: Count = field(default_factory=Count)
    links: Count = field(default_factory=Count)
    "Rows of links.csv. Usable ones count as unchanged, because `movies` counts their effect."
    users: Count = field(default_factory=Count)
    "Users whose ratings could be read."
    ratings: Count = field(default_factory=Count)
    refused: Counter[str] = field(default_factory=Counter)
    "Numbers of refused rows by reason."
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    "The first REFUSALS_KEPT refused rows by reason."

    def refuse(self, count: Count, file_name: str, line: int, refused: Refused) -> None:
        """Record one refused row."""
        refusal = Refusal(file_name, line, printable(refused.given))
        self.refuse_rows(count, 1, refused.reason, [refusal])

    def refuse_rows(self, count: Count, number: int, reason: str, first: Sequence[Refusal]) -> None:
        """Record `number` refused rows with one reason; `first` are the first of them."""
        count.refused += number
        self.refused[reason] += number
        kept = self.refusals.setdefault(reason, [])
        kept.extend(first[: REFUSALS_KEPT - len(kept)])

    def summary(self) -> str:
        """Return all counts in one line."""
        return "; ".join(
            f"{count.read:,} {kind} read: {count.new:,} new, {count.changed:,} changed, {count.unchanged:,} unchanged, "
            f"{count.merged:,} merged, {count.refused:,} refused"
            for kind, count in self.counts().items()
        )

    def counts(self) -> dict[str, Count]:
        """Return the counts of the kinds of rows that the file had."""
        kinds = {"movies": self.movies, "users": self.users, "ratings": self.ratings}
        return {kind: count for kind, count in kinds.items() if count.read}


def printable(text: str) -> str:
    """Return the first MAX_TEXT characters, with NUL and invalid bytes escaped: no page or database takes those."""
    return text[:MAX_TEXT].encode(errors="backslashreplace").decode().replace("\0", "\\x00")
