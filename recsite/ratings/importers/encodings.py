"""Encodings of text files: found out from the whole file, because one byte in the last line can tell."""

import codecs
import re

from recsite.errors import BrokenDataset
from recsite.ratings.importers.files import File

BLOCK = 2**20
SAMPLE = 4096
ESCAPED = re.compile("[\udc80-\udcff]")
"Bytes that are not UTF-8, as 'surrogateescape' decodes them."
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"In this order, because the mark of UTF-32 begins with that of UTF-16."


def check_encoding(name: str) -> str:
    """Return Python's name of an encoding that somebody asks for; raise BrokenDataset if there is none."""
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise BrokenDataset(f"There is no encoding {name!r}; usual ones are utf-8, utf-16, windows-1252.") from error
    return "utf-8-sig" if found == "utf-8" else found


def find_encoding(file: File) -> str:
    """Return the encoding of a text file: by its byte order mark, as UTF-8 where that fits, else as Windows-1252.

    A file that has more letters in valid UTF-8 than other bytes beyond ASCII counts as UTF-8 with damaged lines.

    Raises:
        BrokenDataset: the file cannot be read.
    """
    with file.open() as opened:
        head = opened.stream.read(SAMPLE)
        for mark, encoding in BYTE_ORDER_MARKS.items():
            if head.startswith(mark):
                return encoding
        even, odd = head[::2].count(0), head[1::2].count(0)
        if len(head) > 1 and max(even, odd) > len(head) / 4 and min(even, odd) <= len(head) / 64:
            return "utf-16-be" if even > odd else "utf-16-le"
        valid, broken = count_letters(file)
    return "utf-8-sig" if valid >= broken else "cp1252"


def count_letters(file: File) -> tuple[int, int]:
    """Return how many letters beyond ASCII are valid UTF-8, and how many bytes beyond ASCII are not."""
    valid = broken = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with file.open() as opened:
        while block := opened.stream.read(BLOCK):
            if block.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(block)
            escaped = len(ESCAPED.findall(text))
            valid += len(text) - len(text.encode("ascii", "ignore")) - escaped
            broken += escaped
    return valid, broken
