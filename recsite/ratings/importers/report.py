"""The result of an import: counts that add up, the refused rows, and the fields that stay empty."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, TypeVar

from recsite.errors import BrokenDataset

REFUSALS_KEPT = 20
"Refused rows kept for each reason, which bounds the memory for a file of a million bad rows."
MAX_TEXT = 40
"Characters kept of a refused field."
MAX_REFUSED_SHARE = 0.05
"An import with a larger share of refused rows saves nothing unless told to."

T = TypeVar("T")


class Refused(Exception):
    """Refusal of a row or field; the import goes on without it."""

    def __init__(self, reason: str, given: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        "Refusals are counted by reason, so equal faults have equal texts."
        self.given = given


@dataclass(frozen=True)
class Refusal:
    """One refused row, or the row of a field that stays empty."""

    file: str
    line: int
    "Counted from 1; the first line of a row of several."
    given: str


@dataclass
class Count:
    """Numbers of rows of one kind: read = new + changed + unchanged + merged + refused + left_out."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    merged: int = 0
    "Superseded by another row for the same movie, or the same user and movie."
    refused: int = 0
    left_out: int = 0
    "Rows that are no ratings of movies: of series, or of films that were only watched."

    def settle(self) -> None:
        """Set `unchanged` to the rows that are counted nowhere else."""
        self.unchanged = self.read - self.new - self.changed - self.merged - self.refused - self.left_out


@dataclass
class Report:
    """The result of one import."""

    movies: Count = field(default_factory=Count)
    links: Count = field(default_factory=Count)
    "Rows of links.csv. Usable ones count as unchanged, because `movies` counts their effect."
    users: Count = field(default_factory=Count)
    "Users whose ratings could be read."
    ratings: Count = field(default_factory=Count)
    forms: list[str] = field(default_factory=list)
    "What each file was taken for."
    refused: Counter[str] = field(default_factory=Counter)
    "Numbers of refused rows by reason."
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    "The first REFUSALS_KEPT refused rows by reason."
    emptied: Counter[str] = field(default_factory=Counter)
    "Numbers of optional fields that were not understood and stay empty, by reason; their rows are saved."
    emptied_rows: dict[str, list[Refusal]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    "Numbers of rows that are no ratings of movies, by reason."
    ways_out: dict[str, str] = field(default_factory=dict)
    "What to do about a reason."
    import_id: int | None = None
    "Of the record of the import, once it is saved."

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

    def empty(self, number: int, reason: str, first: Sequence[Refusal]) -> None:
        """Record `number` rows that are saved without an optional field."""
        self.emptied[reason] += number
        kept = self.emptied_rows.setdefault(reason, [])
        kept.extend(first[: REFUSALS_KEPT - len(kept)])

    def optional(self, parse: Callable[[str], T], text: str, otherwise: T, file_name: str, line: int) -> T:
        """Return what `parse` makes of an optional field, or the other value if it is unusable, which is recorded."""
        try:
            return parse(text)
        except Refused as refused:
            self.empty(1, refused.reason, [Refusal(file_name, line, printable(refused.given))])
            return otherwise

    def leave_out(self, number: int, reason: str) -> None:
        """Record rows of ratings that are no ratings of movies."""
        if number:
            self.ratings.left_out += number
            self.left_out[reason] += number

    def check_share(self, accept_refused: bool) -> None:
        """Raise TooManyRefused if more than MAX_REFUSED_SHARE of the rows of one kind are refused."""
        for kind, count in self.counts().items():
            if not accept_refused and count.refused > MAX_REFUSED_SHARE * count.read:
                raise TooManyRefused(kind, self)

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

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "import_id": self.import_id,
            "taken_for": self.forms,
            "counts": {kind: asdict(count) for kind, count in self.counts().items()},
            "refused": self.reasons(self.refused, self.refusals),
            "emptied": self.reasons(self.emptied, self.emptied_rows),
            "left_out": dict(self.left_out),
        }

    def reasons(self, numbers: Counter[str], rows: dict[str, list[Refusal]]) -> list[dict[str, Any]]:
        """Return each reason with its number, first rows and way out."""
        return [
            {
                "reason": reason,
                "count": number,
                "first": [asdict(row) for row in rows.get(reason, [])],
                "what_to_do": self.ways_out.get(reason),
            }
            for reason, number in numbers.most_common()
        ]


class Outcome(NamedTuple):
    """What an import did."""

    report: Report
    history_import: int | None = None
    "The import of a person's export that waits for `history.save`."


class TooManyRefused(BrokenDataset):
    """More rows are refused than an import may lose; nothing is saved."""

    def __init__(self, kind: str, report: Report) -> None:
        count = report.counts()[kind]
        super().__init__(
            f"Nothing was saved: {count.refused:,} of {count.read:,} {kind} are refused, more than "
            f"{MAX_REFUSED_SHARE:.0%} (reasons above). Correct the file or the options, or import the rest with "
            f"--accept-refused."
        )
        self.report = report


def printable(text: str) -> str:
    """Return the first MAX_TEXT characters, with NUL and invalid bytes escaped: no page or database takes those."""
    return text[:MAX_TEXT].encode(errors="backslashreplace").decode().replace("\0", "\\x00")
