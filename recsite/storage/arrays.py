"""Query results as numpy arrays, without an object for each row."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import DTypeLike, NDArray

from recsite.extensions import db

FETCH_ROWS = 50_000


def read_table(query: sa.Select[*tuple[Any, ...]], **parameters: object) -> NDArray[np.float64]:
    """Return the rows of a query for numbers as float64, shape (n_rows, n_columns); ids up to 2⁵³ stay exact."""
    columns = len(query.selected_columns)
    db.session.flush()
    # Core instead of the ORM, which would take half of the time.
    result = db.session.connection().execute(query, parameters, execution_options={"yield_per": FETCH_ROWS})
    return np.fromiter(chain.from_iterable(result), dtype=np.float64).reshape(-1, columns)


def read_columns(query: sa.Select[*tuple[Any, ...]], types: Sequence[DTypeLike]) -> list[NDArray[Any]]:
    """Return the columns of a query for numbers as arrays of these types, in the order of the rows.

    Rows are converted as they arrive: beside the arrays, only FETCH_ROWS of them are in memory.
    """
    db.session.flush()
    result = db.session.connection().execute(query, execution_options={"yield_per": FETCH_ROWS})
    parts: list[list[NDArray[Any]]] = [[np.empty(0, dtype=kind)] for kind in types]
    for rows in result.partitions():
        table = np.fromiter(chain.from_iterable(rows), dtype=np.float64).reshape(-1, len(types))
        for column, kind, found in zip(table.T, types, parts, strict=True):
            found.append(column.astype(kind))
    return [np.concatenate(found) for found in parts]
