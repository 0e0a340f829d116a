"""The secret that signs sessions, kept in a file of the instance folder where no setting gives one."""

import contextlib
import os
import secrets
from pathlib import Path

from recsite.config.parsers import BadSetting


def kept_secret(path: Path) -> str:
    """Return the secret in this file. A missing file is created with a random secret, readable by its owner only.

    Raises:
        BadSetting: the file can be neither read nor created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip()
    except OSError as error:
        raise BadSetting(
            f"SECRET_KEY is not set, and {path} cannot be kept: {error.strerror}. Set SECRET_KEY to a long random text."
        ) from error
