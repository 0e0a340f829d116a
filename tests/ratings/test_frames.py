"""The fast reader of blocks and the careful one: any text gives the same rows and the same refusals."""

import io
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recsite.errors import BrokenDataset
from recsite.ratings.importers import frames
from recsite.ratings.importers.files import uploaded
from recsite.ratings.importers.frames import LINE, Position, read_frames, to_frame
from recsite.ratings.importers.report import Report
from recsite.ratings.importers.tables import TextTable

NAMES = ("user", "movie", "rating")
FIELDS = st.sampled_from(
    ("", "1", "949", "4.5", " 7", "x y", '"4"', '"a,b"', '"a""b"', '"a\nb"', '5" disk', '"', "é", "\udcff", "\0", "\r")
)
ENDS = st.sampled_from(("\n", "\r\n", "\n\n", "\r"))
ROWS = st.lists(st.tuples(st.lists(FIELDS, min_size=1, max_size=4) | st.lists(FIELDS, min_size=3, max_size=3), ENDS))
Result = tuple[list[tuple[object, ...]], object, object, int, int]


def outcome(report: Report, found: Sequence[pl.DataFrame]) -> Result:
    """Return the rows without blanks around fields, the refusals, and how many rows were read and refused."""
    rows = [
        (line, *(text.strip() for text in texts))
        for frame in found
        for line, *texts in frame.select(LINE, *NAMES).rows()
    ]
    return rows, dict(report.refused), report.refusals, report.ratings.read, report.ratings.refused


def read_both(text: str, separator: str, block_bytes: int) -> tuple[Result, Result]:
    """Return what both readers make of a file of this text."""
    content = (separator.join(NAMES) + "\n" + text).encode("utf-8", "surrogateescape")
    table = TextTable(uploaded("ratings.csv", content), "utf-8")
    columns = {name: place for place, name in enumerate(NAMES)}
    fast, careful = Report(), Report()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "BLOCK_BYTES", block_bytes)
        in_blocks = list(read_frames(table, columns, fast.ratings, fast, Position(len(content))))
    rows = list(table.rows(careful.ratings, careful))
    return outcome(fast, in_blocks), outcome(careful, [to_frame(rows, columns)])


@settings(max_examples=150, deadline=None)
@given(ROWS, st.sampled_from((",", ";", "\t", "|", "::")), st.sampled_from((1, 7, 40, 2**23)), st.booleans())
@example([(["1", "949", "4.5"], "\n"), (["1", "949"], "\n"), (["1", "949", "4.5", "x"], "\n")], ",", 2**23, True)
@example([(["1", "949", '"4'], "\n"), (["1", "949", "4.5"], "\n")], ",", 7, False)
def test_blocks_and_rows_have_the_same_ratings(
    rows: list[tuple[list[str], str]], separator: str, block_bytes: int, has_last_end: bool
) -> None:
    text = "".join(separator.join(fields) + end for fields, end in rows)

    in_blocks, one_by_one = read_both(text if has_last_end else text.rstrip("\r\n"), separator, block_bytes)

    assert in_blocks == one_by_one


def test_a_file_of_no_text_is_no_table() -> None:
    with pytest.raises(BrokenDataset, match="is empty"):
        TextTable(uploaded("ratings.csv", io.BytesIO(b"\n \n").getvalue()))
