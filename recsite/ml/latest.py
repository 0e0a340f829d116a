"""The name `latest.*` beside numbered or dated files: a link to one of them, or a copy where the disk has no links."""

import contextlib
import filecmp
import os
import shutil
from pathlib import Path


def point_at(latest: Path, target_name: str) -> None:
    """Replace `latest` by a link to the file of this name beside it, in one step, so that it is never missing.

    Some volumes have no symbolic links (SMB, exFAT); there it becomes a copy.

    Raises:
        OSError: it cannot be replaced; the old one stays.
    """
    partial = latest.with_name(f".{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        try:
            partial.symlink_to(target_name)
        except OSError:
            copy(latest.with_name(target_name), partial)
        partial.replace(latest)
        flush(latest.parent)
    finally:
        partial.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy the file with its permissions, where the volume has any, and flush it to the disk."""
    shutil.copyfile(source, target)
    with contextlib.suppress(OSError):
        shutil.copymode(source, target)
    flush(target)


def is_current(latest: Path, target_name: str) -> bool:
    """Return whether `latest` is a link to the existing file of this name beside it, or an equal copy."""
    target = latest.with_name(target_name)
    try:
        if latest.is_symlink():
            return str(latest.readlink()) == target_name and target.exists()
        # Contents are compared once for each pair of times and sizes.
        return filecmp.cmp(latest, target)
    except OSError:
        return False


def flush(path: Path) -> None:
    """Wait until the contents of this file, or the names in this folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
