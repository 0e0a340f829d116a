"""The addresses of Redis and the database. Messages do not repeat them, because they may hold a password."""

import contextlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from redis import ConnectionPool

from recsite.config.parsers import BadSetting

WEBHOOK_ADDRESS = re.compile(r"https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][!-~]*)?")
MEDIA_ADDRESS = re.compile("[a-z][a-z0-9+.-]*://[^?#\\s]+")
REDIS_ADDRESS = re.compile("unix://[^#]+|rediss?://[^/#]+(/[0-9]*/?)?")
"A Redis URL up to its options. This is stricter than redis-py, which takes a path that is no number for database 0."


def redis_url(name: str, value: str) -> str:
    """Return the URL of a Redis server, which redis-py can use."""
    # An unknown option is a TypeError when the first connection is made. This makes one without connecting.
    with contextlib.suppress(ValueError, TypeError):
        if REDIS_ADDRESS.fullmatch(value.partition("?")[0]):
            ConnectionPool.from_url(value).make_connection()
            return value
    raise BadSetting(
        f"{name} is no address of a Redis server, use 'redis://HOST:PORT/0', 'rediss://:PASSWORD@HOST:PORT/0' or "
        "'unix:///run/redis.sock?db=0', with special characters of a password written as %40."
    )


def database_uri(url: str | None, instance_path: str) -> str:
    """Return the SQLAlchemy URI for a DATABASE_URL; without one, that of a SQLite file in the instance folder.

    Raises:
        BadSetting: the URL belongs to neither PostgreSQL nor SQLite, or has no valid port.
    """
    if not url:
        return f"sqlite:///{Path(instance_path) / 'recsite.sqlite3'}"
    scheme, separator, rest = url.partition("://")
    if scheme in ("postgres", "postgresql"):
        scheme = "postgresql+psycopg"
    if not separator or scheme not in ("postgresql+psycopg", "sqlite", "sqlite+pysqlite"):
        shown = scheme if separator else ""
        raise BadSetting(f"Unexpected value DATABASE_URL={shown}…, use 'postgresql://…' or 'sqlite:///…'.")
    try:
        parsed = sa.make_url(scheme + separator + rest)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or not 1 <= (parsed.port or 5432) <= 65535:
        raise BadSetting(
            "DATABASE_URL is no address of a database, use 'postgresql://USER:PASSWORD@HOST:5432/NAME', with special "
            "characters of the password written as %40, or 'sqlite:////FOLDER/FILE'."
        )
    return scheme + separator + rest


def webhook_urls(name: str, value: str) -> tuple[str, ...]:
    """Return the addresses in a comma-separated list, each once."""
    found = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    with contextlib.suppress(ValueError):
        if all(WEBHOOK_ADDRESS.fullmatch(url) and (urlsplit(url).port or 1) for url in found):
            return found
    raise BadSetting(
        f"{name} has a part that is no address, use 'https://HOST/PATH' without a user name, joined by commas, with a "
        "comma of an address written as %2C."
    )


def media_url(name: str, value: str) -> str:
    """Return the address of a folder or bucket that fsspec opens, without a slash at the end."""
    if not MEDIA_ADDRESS.fullmatch(value) or value.endswith("://"):
        raise BadSetting(f"{name} is no address of a folder, use 's3://BUCKET/FOLDER' or 'file:///FOLDER'.")
    return value.rstrip("/")
