"""Tables in Parquet."""

import io

import polars as pl

from recsite.errors import BrokenDataset
from recsite.ratings.importers.files import File
from recsite.ratings.importers.tables import RecordTable


def open_parquet(file: File) -> RecordTable:
    """Return the columns of numbers, text and times as text; raise BrokenDataset if the file cannot be read."""
    with file.open() as opened:
        content = opened.stream.read()
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise BrokenDataset(f"{file} is no Parquet file that can be read: {error}.") from error
    plain = frame.select(
        pl.selectors.numeric() | pl.selectors.string() | pl.selectors.temporal() | pl.selectors.boolean()
    )
    texts = plain.with_columns(pl.selectors.temporal().dt.to_string("iso")).cast(pl.String).fill_null("")
    return RecordTable(file.name, "Parquet", texts.columns, [list(row) for row in texts.iter_rows()])
