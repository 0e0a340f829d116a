"""Bodies with up to 10,000 rows, as a JSON object or as NDJSON (one row a line); a wrong row does not spoil others."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from flask import request
from msgspec import Meta
from werkzeug.exceptions import UnsupportedMediaType

from recsite.errors import InvalidInput
from recsite.web.api.schema import check_keys, convert, decode, properties

MOST_ROWS = 10_000
LONGEST_BATCH = 8 * 1024 * 1024
"In bytes: 10,000 ratings with the longest ids have 5 MB, 10,000 movies with overviews of 500 characters 8 MB."
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True)
class Rows(Generic[R]):
    """The rows of a batch by their index: those that can be read, and the sentences about the others."""

    good: dict[int, R]
    refused: dict[int, str]


class RefusedJson(msgspec.Struct):
    """A row that was not saved."""

    index: Annotated[int, Meta(ge=0, description="Which row of the batch; 0 is the first.")]
    error: str


class SavedJson(msgspec.Struct):
    """How many rows of a batch are new, changed, unchanged or withdrawn, and which are refused."""

    new: int
    changed: int
    unchanged: int
    withdrawn: int
    refused: list[RefusedJson]


def refused_as_json(*refused: dict[int, str]) -> list[RefusedJson]:
    """Return the refused rows in the order of the batch."""
    return [RefusedJson(index, error) for index, error in sorted(pair for each in refused for pair in each.items())]


def read_rows(name: str, schema: type[R], longest: int) -> Rows[R]:
    """Return the rows in the list of this name, the only key of the body, as these Structs.

    Raises:
        InvalidInput: the body is not valid JSON, lacks the list, or has more than MOST_ROWS rows.
        UnsupportedMediaType: it is neither JSON nor NDJSON.
        RequestEntityTooLarge: it is longer than `longest` bytes.
    """
    request.max_content_length = longest
    rows: dict[int, R] = {}
    refused: dict[int, str] = {}
    for index, row in enumerate(limited(sent_rows(name), name)):
        try:
            rows[index] = read_row(row, schema)
        except InvalidInput as error:
            refused[index] = str(error)
    return Rows(rows, refused)


def limited(rows: Iterator[Any], name: str) -> Iterator[Any]:
    """Yield the rows; raise InvalidInput for one too many."""
    for index, row in enumerate(rows):
        if index >= MOST_ROWS:
            raise InvalidInput(f"{name} has more than {MOST_ROWS:,} rows; send several batches.")
        yield row


def read_row(row: Any, schema: type[R]) -> R:
    """Return one row as this Struct; raise InvalidInput that says what is wrong with it."""
    if isinstance(row, InvalidInput):
        raise row
    known = properties(schema)
    if not isinstance(row, dict):
        raise InvalidInput(f"The row must be an object with the keys {', '.join(known)}.")
    check_keys(row, known)
    return convert(row, schema, strict=True)


def sent_rows(name: str) -> Iterator[Any]:
    """Yield the rows of the body as they were sent; in NDJSON, an InvalidInput in place of a line that is no JSON."""
    if request.mimetype in NDJSON:
        yield from (decode_line(line) for line in request.get_data().splitlines() if line.strip())
        return
    if not request.is_json:
        raise UnsupportedMediaType(
            "Send the body as JSON (Content-Type: application/json) or as one row a line (application/x-ndjson)."
        )
    sent = decode(request.get_data(), "The body is not valid JSON.")
    if not isinstance(sent, dict) or sent.keys() != {name} or not isinstance(sent[name], list):
        raise InvalidInput(f"The body must be a JSON object with the key {name}, a list of at most {MOST_ROWS:,} rows.")
    yield from sent[name]


def decode_line(line: bytes) -> Any:
    """Return the JSON value of a line, or the error about it."""
    try:
        return decode(line, "The line is not valid JSON.")
    except InvalidInput as error:
        return error
