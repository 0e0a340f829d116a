"""One page of a long query result, and the query that reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, TypeVarTuple, overload

import sqlalchemy as sa

from recsite.extensions import db

LAST_PAGE = 100_000
"The largest page number that pages and API accept; a larger OFFSET would only cost the database time."

T = TypeVar("T")
U = TypeVar("U")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a longer list."""

    items: Sequence[T]
    page: int
    "The number of the page, from 1."
    per_page: int
    total: int
    "Number of items in the whole list."
    pages_shown: int = 1
    "Number of consecutive pages in `items`, starting with `page`."

    @property
    def pages(self) -> int:
        """Return the number of pages in the whole list; 1 for an empty list."""
        return max(1, -(-self.total // self.per_page))

    @property
    def has_next(self) -> bool:
        """Return whether a page follows."""
        return self.next_page <= self.pages

    @property
    def next_page(self) -> int:
        """Return the number of the page after `items`; it may not exist."""
        return self.page + self.pages_shown

    @property
    def has_previous(self) -> bool:
        """Return whether a page precedes."""
        return self.page > 1

    def with_items(self, items: Sequence[U]) -> "Page[U]":
        """Return the same page of the same list with other items, as after adding counts to each."""
        return Page(items, self.page, self.per_page, self.total, self.pages_shown)


@overload
def paginate(query: sa.Select[T], page: int, per_page: int, *, pages_shown: int = 1) -> Page[T]: ...


@overload
def paginate(
    query: sa.Select[*Ts], page: int, per_page: int, *, make: Callable[[*Ts], U], pages_shown: int = 1
) -> Page[U]: ...


def paginate(
    query: sa.Select[*tuple[Any, ...]],
    page: int,
    per_page: int,
    *,
    make: Callable[..., Any] | None = None,
    pages_shown: int = 1,
) -> Page[Any]:
    """Count the rows of an ordered query and read one page of them: two statements.

    Args:
        query: what to read, with a total order. GROUP BY and DISTINCT are not supported.
        page: the number of the page, from 1. A page after the last one is empty.
        per_page: the number of items on a page.
        make: builds an item from the columns of a row. Without it, the query selects one entity or column, and its
            values are the items.
        pages_shown: the number of consecutive pages to read.
    """
    count = query.with_only_columns(sa.func.count(), maintain_column_froms=True).order_by(None)
    total = db.session.scalar(count) or 0
    rows = db.session.execute(query.limit(per_page * pages_shown).offset((page - 1) * per_page))
    items = rows.scalars().all() if make is None else [make(*row) for row in rows]
    return Page(items, page, per_page, total, pages_shown)
