"""Rows of this process as a table in a statement: one parameter for thousands of rows, on both kinds of database."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from recsite.extensions import db


def table_of(columns: Mapping[str, Any], rows: Iterable[Sequence[Any]]) -> sa.Subquery:
    """Return a subquery with these rows, which travel as JSON.

    Args:
        columns: their SQLAlchemy types by name; of numbers, texts, booleans, dates and UTCDateTime.
        rows: the values in the order of the columns; None is NULL.
    """
    sent = json.dumps(list(rows), default=as_text)
    if db.session.get_bind().dialect.name == "postgresql":
        elements = sa.func.jsonb_array_elements(sa.cast(sa.literal(sent, sa.Text), JSONB)).table_valued(
            "value", name="element"
        )
        values: list[sa.ColumnElement[Any]] = [
            sa.cast(elements.c.value.op("->>")(number), kind) for number, kind in enumerate(columns.values())
        ]
    else:
        elements = sa.func.json_each(sent).table_valued("value", name="element")
        values = [
            # As the text that SQLite stores, times need no conversion.
            sa.type_coerce(sa.func.json_extract(elements.c.value, f"$[{number}]"), kind)
            for number, kind in enumerate(columns.values())
        ]
    named = [value.label(name) for name, value in zip(columns, values, strict=True)]
    return sa.select(*named).select_from(elements).subquery("sent")


def as_text(value: object) -> str:
    """Return a date or a time in UTC as both databases read it; raise TypeError for any other kind of value."""
    if isinstance(value, datetime):
        # As SQLite stores it, in UTC without a zone; PostgreSQL's sessions are in UTC, see `engine`.
        return value.isoformat(" ", "microseconds").removesuffix("+00:00")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} cannot be sent")
