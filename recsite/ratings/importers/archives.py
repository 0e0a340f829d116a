"""Reading of zip files that may be hostile: what they say about their sizes is not believed.

Only stored and deflated files are read. zipfile unpacks a whole block of bz2 or LZMA, however few bytes are asked for.
"""

import zipfile
import zlib

from recsite.errors import BrokenDataset

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
"The bit of a file's flags."
MAX_FILES = 1000
"Files in an uploaded zip. zipfile keeps half a kilobyte of each in memory."
ENTRY_SIGNATURE = b"PK\x01\x02"
"Precedes each file's entry in a zip's directory."
# zipfile raises RuntimeError for an encrypted file and ValueError for a name that is not UTF-8.
READ_ERRORS = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError)
"The errors of a file on disk or in a zip that cannot be read."


def check_method(entry: zipfile.ZipInfo) -> None:
    """Raise BrokenDataset unless the file is stored or deflated, without a password."""
    if entry.flag_bits & ENCRYPTED:
        raise BrokenDataset(f"{entry.filename} is protected by a password; unpack it, or make a zip without one.")
    if entry.compress_type not in METHODS:
        raise BrokenDataset(f"{entry.filename} is packed with a method other than deflate; make an ordinary zip.")


def check_directory(content: bytes) -> None:
    """Raise BrokenDataset if an uploaded zip has more than MAX_FILES files."""
    if content.count(ENTRY_SIGNATURE) > MAX_FILES:
        raise BrokenDataset(f"The zip has more than {MAX_FILES:,} files in it; send the file of ratings alone.")


def read_file(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    """Return the unpacked file; raise BrokenDataset if it is longer than `most_bytes` or packed by another method."""
    entry = archive.getinfo(name)
    check_method(entry)
    with archive.open(entry) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise BrokenDataset(f"{name} is larger than {most_bytes // 2**20} MB once unpacked.")
    return content
