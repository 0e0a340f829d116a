"""Health checks of the database, Redis, the model, the workers and the libraries, each with what to do."""

import functools
import logging
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app

from recsite import versions
from recsite.config import ROOT, VERSION
from recsite.errors import MediaUnavailable, QueueUnavailable
from recsite.extensions import cache, db
from recsite.storage import database_errors, media, redis_errors
from recsite.storage.queue import queueing
from recsite.storage.redis_errors import Problem
from recsite.versions import training
from recsite.versions.active import recommender

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """One part of the site and its state in words."""

    name: str
    says: str
    "Starts with 'ok', or says what is wrong and what to do."
    is_out: bool = False
    "Whether the part should work and does not. A site without a model or a worker is not broken, only incomplete."

    @property
    def is_ok(self) -> bool:
        """Whether nothing needs to be done about this part."""
        return self.says.startswith("ok")


def examine() -> list[Part]:
    """Check every part thoroughly: read each file of the active version, and every page of a SQLite database."""
    database = try_database()
    training_part = check_training(database)
    shared = [check_media()] if media.is_shared() else []
    return [database, check_redis(), *shared, check_model(database), training_part, check_workers(), check_libraries()]


def glance() -> list[Part]:
    """Check the parts quickly, for a page: say which model is loaded, without reading its files."""
    loaded, problem = recommender.current(), recommender.problem()
    model = f"ok ({loaded.version_name} is loaded)" if loaded else "none is loaded; visitors see popular movies"
    if problem:
        model = f"{problem} {loaded.version_name if loaded else 'No version'} is loaded"
    return [check_database(), check_redis(), Part("model", model), check_workers(), check_libraries()]


def find_readiness() -> dict[str, str]:
    """Return 'ok' or the problem for database, Redis and loaded model; quick enough for a check every second."""
    database, redis_problem = check_database(), queueing.find_problem()
    loaded, problem = recommender.current(), recommender.problem()
    model = "ok" if loaded else "none is loaded; 'flask doctor' says what to do"
    return {
        "database": database.says if database.is_out else "ok",
        "redis": f"{redis_problem.state}; pages go on without it, jobs wait for it" if redis_problem else "ok",
        "model": f"{loaded.version_name if loaded else 'none'} is loaded; {problem}" if problem else model,
    }


def check_database() -> Part:
    """Check that the database answers and that its tables are migrated to this version of the code."""
    try:
        with db.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_heads()
    except (sa.exc.DatabaseError, sa.exc.TimeoutError) as error:
        return database_is_out(error)
    if set(found) != newest_revisions():
        return Part("database", database_errors.NOT_MIGRATED.remedy, is_out=True)
    return Part("database", f"ok ({db.engine.dialect.name}, revision {', '.join(found)})")


def try_database() -> Part:
    """Check the database as `check_database` does, that it takes writes, and that a SQLite file is not damaged."""
    part = check_database()
    if part.is_out:
        return part
    try:
        with db.engine.begin() as connection:
            # This changes no value but needs what a change needs: the lock, the permission and space on the disk.
            connection.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))
            if db.engine.dialect.name == "sqlite" and connection.scalar(sa.text("PRAGMA quick_check(1)")) != "ok":
                return Part("database", database_errors.DAMAGED.remedy, is_out=True)
    except sa.exc.DatabaseError as error:
        return database_is_out(error)
    return part


def database_is_out(error: sa.exc.SQLAlchemyError) -> Part:
    """Return the database's part with the remedy for this error.

    Raises:
        SQLAlchemyError: the error itself, if it is a fault of the code and not of the database.
    """
    outage = database_errors.find(error)
    if outage is None:
        raise error
    log.warning("database: %s", error.orig if isinstance(error, sa.exc.DBAPIError) else error)
    return Part("database", outage.remedy, is_out=True)


@functools.cache
def newest_revisions() -> frozenset[str]:
    """Return the revisions of a fully migrated database."""
    config = current_app.extensions["migrate"].migrate.get_config(str(ROOT / "migrations"))
    return frozenset(ScriptDirectory.from_config(config).get_heads())


def check_redis() -> Part:
    """Check that the Redis of the queue and the Redis of the cache answer and take writes."""
    backend: Any = cache.cache
    checks: dict[str, Callable[[], Problem | None]] = {
        "REDIS_URL": queueing.find_problem,
        "CACHE_REDIS_URL": backend.find_problem,
    }
    for setting, find_problem in checks.items():
        problem = find_problem()
        if problem is not None:
            where, remedy = address(current_app.config[setting]), problem.remedy.format(setting=setting)
            is_silent = problem is redis_errors.UNREACHABLE
            state = f"no answer from {where}" if is_silent else f"{where} is {problem.state}"
            return Part("redis", f"{state}; {remedy}", is_out=True)
    return Part("redis", f"ok ({address(current_app.config['REDIS_URL'])})")


def address(url: str) -> str:
    """Return host, port and path of a URL, without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def check_media() -> Part:
    """Check that MEDIA_URL can be written, read and emptied again."""
    try:
        address = media.try_out()
    except MediaUnavailable as error:
        return Part("media", str(error), is_out=True)
    return Part("media", f"ok ({address})")


def check_model(database: Part) -> Part:
    """Check that the files of the active version are complete and unchanged."""
    if database.is_out:
        return Part("model", "unknown while the database is out", is_out=True)
    active = versions.find_active()
    if active is None:
        return Part("model", "none is active, and everybody sees popular movies; run 'flask train --activate'")
    problem = versions.find_problem(active)
    if problem is not None:
        return Part(
            "model",
            f"{active.version_name} is damaged: {problem} Activate another version, or train a new one",
            is_out=True,
        )
    return Part("model", f"ok ({active.version_name}, RMSE {active.rmse:.4f} on held-out ratings)")


def check_training(database: Part) -> Part:
    """Check whether a training is due, by what changed since the last one."""
    if database.is_out:
        return Part("training", "unknown while the database is out", is_out=True)
    advice = training.advise()
    if advice.is_due:
        return Part("training", f"{' '.join(advice.reasons)} Run 'flask train', then 'flask models preview'")
    return Part("training", f"ok ({advice.new_ratings} new ratings since the last one)")


def check_workers() -> Part:
    """Check that at least one worker runs."""
    try:
        names = queueing.find_workers()
    except QueueUnavailable:
        return Part("workers", "unknown while Redis is out", is_out=True)
    return Part("workers", f"ok ({len(names)})" if names else "none; start one with 'flask worker'")


def check_libraries() -> Part:
    """Compare the installed packages with the versions that recsite was tested with."""
    differences = [
        f"{name} {installed} instead of {wanted}"
        for name, wanted in tested_versions().items()
        if (installed := installed_version(name)) != wanted
    ]
    if differences:
        return Part("libraries", f"{', '.join(differences)}; run 'pip install -r requirements.txt'")
    return Part("libraries", f"ok (recsite {VERSION}, Python {platform.python_version()})")


def tested_versions() -> dict[str, str]:
    """Return the pinned version of each package in requirements.txt; empty if the file cannot be read."""
    try:
        pins = (ROOT / "requirements.txt").read_text()
    except OSError:
        return {}
    return dict(re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)", pins, re.MULTILINE))


def installed_version(name: str) -> str:
    """Return the version of an installed package, or 'nothing' if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "nothing"
