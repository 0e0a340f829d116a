"""What an import did, in numbers that add up, and the rows that it refused."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

REFUSALS_KEPT = 20
"Of each reason; a file of a million bad rows must not fill the memory."
CHARACTERS_KEPT = 40


class Refused(Exception):
    """This row cannot be taken; the import goes on without it."""

    def __init__(self, reason: str, given: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        "The same words for the same fault, for refusals are counted by them."
        self.given = given
        "What stood there."


@dataclass(frozen=True)
class Refusal:
    """One row that was left out."""

    file: str
    line: int
    "Counted from 1; the first line of a row that spans several."
    given: str


@dataclass
class Count:
    """What became of the rows of one kind: read = new + changed + unchanged + merged + refused."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    merged: int = 0
    "Gave way to another row of the same file about the same movie, or the same user and movie."
    refused: int = 0

    def settle(self) -> None:
        """What was read and became nothing else is unchanged."""
        self.unchanged = self.read - self.new - self.changed - self.merged - self.refused


@dataclass
class Report:
    """What one import did."""

    movies: Count = field(default_factory=Count)
    links: Count = field(default_factory=Count)
    "Rows of links.csv. What came of the good ones shows in `movies`, so they count as unchanged."
    users: Count = field(default_factory=Count)
    "The people whose ratings could be read."
    ratings: Count = field(default_factory=Count)
    refused: Counter[str] = field(default_factory=Counter)
    "Rows by reason."
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    "The first REFUSALS_KEPT of each reason."

    def refuse(self, count: Count, file: str, line: int, refused: Refused) -> None:
        """One row more was left out."""
        refusal = Refusal(file, line, refused.given[:CHARACTERS_KEPT])
        self.refuse_rows(count, 1, refused.reason, [refusal])

    def refuse_rows(self, count: Count, number: int, reason: str, first: Sequence[Refusal]) -> None:
        """So many rows more were left out, all for one reason; these are the first of them."""
        count.refused += number
        self.refused[reason] += number
        kept = self.refusals.setdefault(reason, [])
        kept.extend(first[: REFUSALS_KEPT - len(kept)])

    def summary(self) -> str:
        """All kinds of rows in one line."""
        return "; ".join(
            f"{count.read:,} {kind} read: {count.new:,} new, {count.changed:,} changed, {count.unchanged:,} unchanged, "
            f"{count.merged:,} merged, {count.refused:,} refused"
            for kind, count in self.counts().items()
        )

    def counts(self) -> dict[str, Count]:
        """Those kinds of rows that the file had."""
        kinds = {"movies": self.movies, "users": self.users, "ratings": self.ratings}
        return {kind: count for kind, count in kinds.items() if count.read}
