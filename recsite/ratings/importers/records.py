"""Tables in JSON: lists of objects, or one object a line, as Trakt and many scripts write them."""

import json
from collections.abc import Mapping
from typing import Any

from recsite.errors import BrokenDataset
from recsite.ratings.importers.encodings import check_encoding, find_encoding
from recsite.ratings.importers.files import File
from recsite.ratings.importers.headings import normalize
from recsite.ratings.importers.movielens_formats import rating_table
from recsite.ratings.importers.parquet import open_parquet
from recsite.ratings.importers.tables import MAX_COLUMNS, RecordTable, Table, TextTable

LISTS_OF_FILMS = ("ratings", "movies", "films")
MAX_JSON_BYTES = 2**30
"JSON is read whole."


def open_table(file: File, encoding: str | None = None, most_lines: int | None = None) -> Table:
    """Return the table in a file, by its name or first character.

    Raises:
        BrokenDataset: the file cannot be read or has no table.
    """
    name = file.name.lower()
    if name in ("ratings.dat", "u.data"):
        return rating_table(file, encoding)
    with file.open() as opened:
        head = opened.stream.read(64)
    if head.startswith(b"PAR1"):
        return open_parquet(file)
    # Without the marks of UTF-8 and UTF-16, and the zeros of UTF-16.
    if head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t").startswith((b"[", b"{")):
        return open_json(file, encoding)
    return TextTable(file, encoding, most_lines=most_lines)


def open_json(file: File, encoding: str | None) -> RecordTable:
    """Return the objects of a JSON file as rows; raise BrokenDataset if it has no list of objects."""
    with file.open() as opened:
        content = opened.stream.read(MAX_JSON_BYTES)
    text = content.decode(check_encoding(encoding) if encoding else find_encoding(file), "replace")
    try:
        records = parse_records(text)
    except (ValueError, RecursionError) as error:
        raise BrokenDataset(f"{file} is not valid JSON: {error}.") from error
    if not records:
        raise BrokenDataset(f"{file} has no list of objects.")
    flat = [flatten(record) for record in records]
    header = list(dict.fromkeys(name for record in flat for name in record))[:MAX_COLUMNS]
    rows = [[record.get(name, "") for name in header] for record in flat]
    return RecordTable(file.name, "JSON", header, rows)


def parse_records(text: str) -> list[Mapping[str, Any]]:
    """Return the objects of a list, of the longest list in an object, of columns, or of lines.

    Raises:
        ValueError: the text is no JSON.
    """
    text = text.lstrip("\ufeff \r\n\t")
    try:
        found = json.loads(text)
    except ValueError as error:
        if "\n" not in text.strip() or not text.startswith("{"):
            raise
        found = parse_lines(text, error)
    if isinstance(found, dict):
        found = longest_list(found) or from_columns(found) or [found]
    return [record for record in found if isinstance(record, dict)] if isinstance(found, list) else []


def parse_lines(text: str, error: ValueError) -> list[Any]:
    """Return the value of each line; raise ValueError, the given one if not even the first line is JSON."""
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            values += [json.loads(line)] if line.strip() else []
        except ValueError as wrong:
            raise (ValueError(f"line {number} is no object") if values else error) from wrong
    return values


def longest_list(found: Mapping[str, Any]) -> list[Any]:
    """Return the longest list of objects in an object and in those in it, [] without one; lists of films come first."""
    lists = {
        normalize(name): each
        for name, each in found.items()
        if isinstance(each, list) and each and isinstance(each[0], dict)
    }
    for name in LISTS_OF_FILMS:
        if name in lists:
            return lists[name]
    inner = [longest_list(each) for each in found.values() if isinstance(each, dict)]
    return max([*lists.values(), *inner], key=len, default=[])


def from_columns(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table that pandas writes by columns, or as columns and data; [] for another object."""
    columns, data = found.get("columns"), found.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return [dict(zip(columns, row, strict=False)) for row in data if isinstance(row, list)]
    keys = [each.keys() for each in found.values() if isinstance(each, dict)]
    if len(keys) < 2 or len(keys) < len(found) or any(each != keys[0] for each in keys):
        return []
    return [{name: column[key] for name, column in found.items()} for key in keys[0]]


def flatten(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of an object and of those in it as text.

    'ids': {'imdb': …} in 'movie' becomes 'imdb', and 'movie': {'id': …} becomes 'movie_id'.
    """
    flat: dict[str, str] = {}
    nested: list[tuple[str, Mapping[str, Any]]] = [("", record)]
    while nested:
        inner: list[tuple[str, Mapping[str, Any]]] = []
        for parent, each in nested:
            for key, value in each.items():
                name = f"{parent}_id" if parent and key == "id" else key
                while isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
                    # MongoDB's {"$date": …} and {"$numberInt": "4"}.
                    (value,) = value.values()
                if isinstance(value, dict):
                    inner.append((key, value))
                elif normalize(name) not in map(normalize, flat):
                    flat[name] = json.dumps(value) if isinstance(value, list) else "" if value is None else str(value)
        nested = inner
    return flat
