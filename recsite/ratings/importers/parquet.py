"""Tables in Parquet."""

import io

import polars as pl

from recsite.errors import BrokenDataset
from recsite.ratings.importers.files import File
from recsite.ratings.importers.tables import RecordTable


def open_parquet(file: File) -> RecordTable:
    """Return the columns of numbers, text, times and lists as text; raise BrokenDataset if it cannot be read."""
    with file.open() as opened:
        content = opened.stream.read()
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise BrokenDataset(f"{file} is no Parquet file that can be read: {error}.") from error
    texts = frame.select(as_text(name, kind) for name, kind in frame.schema.items()).fill_null("")
    return RecordTable(file.name, "Parquet", texts.columns, [list(row) for row in texts.iter_rows()])


def as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """Return a column as text: times as ISO, lists joined by '|', '' for what is neither."""
    column = pl.col(name)
    if kind.is_temporal():
        return column.dt.to_string("iso")
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.String):
        return column.list.join("|")
    return pl.lit("").alias(name) if kind.is_nested() else column.cast(pl.String, strict=False)
