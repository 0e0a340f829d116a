"""One page of a long list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer list."""

    items: Sequence[T]
    page: int
    "1 = the first."
    per_page: int
    total: int
    "Of the whole list."
    pages_shown: int = 1
    "How many pages stand here in one, this one first."

    @property
    def pages(self) -> int:
        """How many pages the list has; an empty list has one."""
        return max(1, -(-self.total // self.per_page))

    @property
    def has_next(self) -> bool:
        """Whether more follows."""
        return self.next_page <= self.pages

    @property
    def next_page(self) -> int:
        """The page after what is shown, which may be one too many."""
        return self.page + self.pages_shown

    @property
    def has_previous(self) -> bool:
        """Whether something comes before."""
        return self.page > 1
