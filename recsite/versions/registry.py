"""The versions: which there are, which is active, and moving from one to another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from flask import current_app

from recsite.errors import InvalidInput, NothingToRollBackTo, UntrustedVersion, VersionNotFound
from recsite.extensions import db
from recsite.ml import ModelStore
from recsite.ml.files import open_version, point_latest_at, remove_version
from recsite.ml.pickles import UntrustedFile, unpickle
from recsite.ml.rating import rows_of
from recsite.storage import audit
from recsite.storage.tables import Activation, ModelVersion, now
from recsite.versions.active import ActiveRow, recommender

MODEL_TYPE = "surprise"
LONGEST_NAME = 150


@dataclass(frozen=True)
class Check:
    """What `verify` found of one version."""

    version_name: str
    problem: str | None
    "None when every file is as it was written."


def models_root() -> Path:
    """The folder above all model types."""
    root: Path = current_app.config["MEDIA_ROOT"]
    return root / "ml" / "models"


def folder() -> Path:
    """Where the versions' files lie."""
    return models_root() / MODEL_TYPE


def find_store() -> ModelStore:
    """What `ml.load_model` may open: the site's folder, and the hashes that its database recorded."""
    return ModelStore(models_root(), frozenset(db.session.scalars(sa.select(ModelVersion.sha256))))


def names() -> set[str]:
    """Every name that was ever given."""
    return set(db.session.scalars(sa.select(ModelVersion.version_name)))


def list_versions() -> Sequence[ModelVersion]:
    """All versions, the newest first."""
    return db.session.scalars(sa.select(ModelVersion).order_by(ModelVersion.id.desc())).all()


def list_activations(limit: int | None = None) -> Sequence[Activation]:
    """The last `limit` moves of the pointer, or all, the newest first."""
    newest = sa.select(Activation).options(sa.orm.joinedload(Activation.version)).order_by(Activation.id.desc())
    return db.session.scalars(newest.limit(limit)).all()


def find_active() -> ModelVersion | None:
    """The active version, or None."""
    return db.session.scalar(sa.select(ModelVersion).where(ModelVersion.is_active))


def find_active_row() -> ActiveRow | None:
    """The active version as the recommender asks for it: on a connection of its own, outside of any transaction."""
    columns = (ModelVersion.id, ModelVersion.version_name, ModelVersion.manifest_sha256)
    with db.engine.connect() as connection:
        row = connection.execute(sa.select(*columns).where(ModelVersion.is_active)).first()
    return ActiveRow(row.id, row.version_name, folder() / row.version_name, row.manifest_sha256) if row else None


def find(version_name: str) -> ModelVersion:
    """The version of this name; raises VersionNotFound."""
    query = sa.select(ModelVersion).where(ModelVersion.version_name == version_name)
    version: ModelVersion | None = db.session.scalar(query)
    if version is None:
        raise VersionNotFound(version_name)
    return version


def activate(version_name: str, by: str, reason: str = "") -> ModelVersion:
    """Make this the active version in one transaction, and latest.pkl a link to it.

    Its files are checked first; raises VersionNotFound, or UntrustedVersion and the old version stays active.
    Activating the active version again only mends the link.
    """
    return move_pointer(version_name, by, reason, is_rollback=False)


def roll_back(by: str, reason: str = "") -> ModelVersion:
    """Activate the version that the active one replaced; again goes one further back. Raises NothingToRollBackTo."""
    active = find_active()
    replaced = active and db.session.scalar(
        sa.select(Activation.previous_version_id)
        .where(Activation.model_version_id == active.id, ~Activation.is_rollback)
        .order_by(Activation.id.desc())
        .limit(1)
    )
    previous: ModelVersion | None = db.session.get(ModelVersion, replaced) if replaced else None
    if previous is None:
        raise NothingToRollBackTo("There is no earlier active version to roll back to; 'flask models list' shows all.")
    return move_pointer(previous.version_name, by, reason, is_rollback=True)


def move_pointer(version_name: str, by: str, reason: str, *, is_rollback: bool) -> ModelVersion:
    """Check the version's files, then move is_active, the history, latest.pkl and this process, in this order."""
    if len(by) > LONGEST_NAME:
        raise InvalidInput(f"The name of who activates has {len(by)} characters; at most {LONGEST_NAME} are kept.")
    problem = find_problem(find(version_name))
    if problem:
        raise UntrustedVersion(f"{version_name} is not activated: {problem}")
    # Whoever comes second waits here on PostgreSQL and then sees the first one's result; SQLite has one writer anyway.
    db.session.execute(sa.select(ModelVersion.id).order_by(ModelVersion.id).with_for_update())
    db.session.expire_all()
    version, active = find(version_name), find_active()
    if active is not version:
        # Two statements, for PostgreSQL checks the one-active index row by row.
        db.session.execute(sa.update(ModelVersion).where(ModelVersion.is_active).values(is_active=False))
        db.session.execute(sa.update(ModelVersion).where(ModelVersion.id == version.id).values(is_active=True))
        previous_id = active.id if active else None
        db.session.add(
            Activation(
                model_version_id=version.id,
                previous_version_id=previous_id,
                is_rollback=is_rollback,
                activated_by=by,
                reason=reason,
            )
        )
        audit.record(
            by,
            "roll back" if is_rollback else "activate",
            "version",
            version.version_name,
            before={"active": active.version_name if active else None},
            after={"active": version.version_name},
            reason=reason,
        )
    db.session.commit()
    link_latest()
    recommender.follow_now()
    return version


def link_latest() -> None:
    """Make latest.pkl a link to the active version, also when another process moves the pointer meanwhile."""
    linked = None
    while (row := find_active_row()) is not None and row.version_name != linked:
        point_latest_at(folder(), row.version_name)
        linked = row.version_name


def is_latest_behind() -> bool:
    """Whether latest.pkl is not the active version: who moved the pointer died before the link."""
    row, latest = find_active_row(), folder() / "latest.pkl"
    return row is not None and not (latest.exists() and latest.resolve().name == f"{row.version_name}.pkl")


def find_problem(version: ModelVersion) -> str | None:
    """What keeps this version from serving, or None: every file is read, hashed and tried."""
    if version.pruned_at is not None:
        return f"its files were removed on {version.pruned_at:%Y-%m-%d} by 'flask models prune'."
    try:
        open_version(folder() / version.version_name, version.manifest_sha256)
        unpickle(folder() / f"{version.version_name}.pkl", {version.sha256})
    except UntrustedFile as error:
        return str(error)
    return None


def verify() -> list[Check]:
    """Each version's state, oldest first; then latest.pkl, and files that no version owns."""
    checks = [
        Check(version.version_name, find_problem(version))
        for version in reversed(list_versions())
        if version.pruned_at is None
    ]
    active = find_active()
    if active is not None and is_latest_behind():
        again = f"'flask models activate {active.version_name}' mends it."
        checks.append(Check("latest.pkl", f"it is not the active version {active.version_name}; {again}"))
    known = names()
    strays = {path.stem for path in folder().glob("model-*") if path.stem not in known}
    checks += [Check(name, "its files belong to no recorded version; remove them.") for name in sorted(strays)]
    return checks


def trained_on(user_id: int) -> list[str]:
    """The versions whose files know this user, the oldest first."""
    known = []
    for version in reversed(list_versions()):
        path = folder() / version.version_name / "user_ids.npy"
        if version.pruned_at is None and path.exists():
            user_ids = np.load(path, mmap_mode="r", allow_pickle=False)
            if rows_of(np.array([user_id]), user_ids)[0] >= 0:
                known.append(version.version_name)
    return known


def prune(keep: int, by: str) -> list[str]:
    """Remove the files of all but the newest `keep` versions, the active one and the one before it; returns the names.

    The rows stay, for the history of activations names them.
    """
    last = db.session.scalar(sa.select(Activation).order_by(Activation.id.desc()).limit(1))
    spared = {last.model_version_id, last.previous_version_id} if last else set()
    left = [version for version in list_versions() if version.pruned_at is None]
    gone = [version for version in left[keep:] if not version.is_active and version.id not in spared]
    for version in gone:
        # The row first: were the files gone and the row not marked, the version would look damaged.
        version.pruned_at = now()
        audit.record(by, "remove files", "version", version.version_name)
    db.session.commit()
    for version in gone:
        remove_version(folder(), version.version_name)
    return [version.version_name for version in gone]
