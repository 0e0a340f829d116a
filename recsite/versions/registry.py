"""The register of versions: list, activate, roll back, verify and prune them."""

import logging
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from recsite.errors import InvalidInput, MediaUnavailable, NothingToRollBackTo, UntrustedVersion, VersionNotFound
from recsite.extensions import db
from recsite.ml import ModelStore
from recsite.ml.files import is_latest, point_latest_at
from recsite.ml.pickles import UntrustedFile
from recsite.ml.vocabulary import Vocabulary
from recsite.storage import audit, media, webhooks
from recsite.storage.tables import Activation, ModelVersion, now
from recsite.versions import copies, originals
from recsite.versions.active import find_active_row, recommender
from recsite.versions.originals import folder, models_root

LONGEST_NAME = 150

log = logging.getLogger(__name__)


def find_store() -> ModelStore:
    """Return what `ml.load_model` may open: this host's folder, and the hashes that the database recorded."""
    if media.is_shared():
        recommender.follow_now()
    return models_root(), set(db.session.scalars(sa.select(ModelVersion.sha256)))


def names() -> set[str]:
    """Return the names of all versions, pruned ones included."""
    return set(db.session.scalars(sa.select(ModelVersion.version_name)))


def list_versions() -> Sequence[ModelVersion]:
    """Return all versions, the newest first."""
    return db.session.scalars(sa.select(ModelVersion).order_by(ModelVersion.id.desc())).all()


def list_activations(limit: int | None = None) -> Sequence[Activation]:
    """Return the last `limit` activations and rollbacks, or all, the newest first."""
    newest = sa.select(Activation).options(sa.orm.joinedload(Activation.version)).order_by(Activation.id.desc())
    return db.session.scalars(newest.limit(limit)).all()


def find_active() -> ModelVersion | None:
    """Return the active version, or None."""
    return db.session.scalar(sa.select(ModelVersion).where(ModelVersion.is_active))


def find(version_name: str) -> ModelVersion:
    """Return the version of this name.

    Raises:
        VersionNotFound: there is none.
    """
    query = sa.select(ModelVersion).where(ModelVersion.version_name == version_name)
    version: ModelVersion | None = db.session.scalar(query)
    if version is None:
        raise VersionNotFound(version_name)
    return version


def activate(version_name: str, by: str, reason: str = "") -> ModelVersion:
    """Make this the active version in one transaction, and latest.pkl a link to it or a copy; return it.

    Its files are checked first. Activating the active version again only repairs the link.

    Raises:
        VersionNotFound: no version has this name.
        UntrustedVersion: its files cannot be read or are changed, or latest.pkl cannot be replaced; the old version
            stays active.
        InvalidInput: `by` is too long.
    """
    return move_pointer(version_name, by, reason, is_rollback=False)


def roll_back(by: str, reason: str = "") -> ModelVersion:
    """Activate the version that the active one replaced, and return it; a second call goes one version further back.

    Raises:
        NothingToRollBackTo: no version was active before.
        UntrustedVersion: the files of the earlier version are missing or changed.
    """
    replaced = find_replaced_id()
    previous: ModelVersion | None = db.session.get(ModelVersion, replaced) if replaced else None
    if previous is None:
        raise NothingToRollBackTo("There is no earlier active version to roll back to; 'flask models list' shows all.")
    return move_pointer(previous.version_name, by, reason, is_rollback=True)


def find_replaced_id() -> int | None:
    """Return the id of the version that the active one replaced, to which `roll_back` would return; None without."""
    active = find_active()
    if active is None:
        return None
    query = sa.select(Activation.previous_version_id).where(Activation.model_version_id == active.id)
    replaced: int | None = db.session.scalar(
        query.where(~Activation.is_rollback).order_by(Activation.id.desc()).limit(1)
    )
    return replaced


def move_pointer(version_name: str, by: str, reason: str, *, is_rollback: bool) -> ModelVersion:
    """Make a version the active one, and return it.

    1. Check the version's files, after fetching those that this host lacks.
    2. Move `is_active` and record the activation, in one transaction.
    3. Point latest.pkl at the version; where that fails, roll back.
    4. Commit, load the version in this process, and let other hosts find it.
    """
    if len(by) > LONGEST_NAME:
        raise InvalidInput(f"The activating user's name has {len(by)} characters; at most {LONGEST_NAME} are kept.")
    problem = find_problem(find(version_name))
    if problem:
        raise UntrustedVersion(f"{version_name} is not activated: {problem}")
    # This changes no value, but a second activation waits here and then reads the result of the first.
    wait = sa.update(ModelVersion).values(is_active=ModelVersion.is_active)
    db.session.execute(wait, execution_options={"synchronize_session": False})
    db.session.expire_all()
    version, active = find(version_name), find_active()
    if active is not version:
        # Two statements, because PostgreSQL checks the unique index on `is_active` row by row.
        db.session.execute(sa.update(ModelVersion).where(ModelVersion.is_active).values(is_active=False))
        db.session.execute(sa.update(ModelVersion).where(ModelVersion.id == version.id).values(is_active=True))
        record_activation(version, active, by, reason, is_rollback=is_rollback)
    try:
        point_latest_at(folder(), version.version_name)
    except OSError as error:
        db.session.rollback()
        raise UntrustedVersion(
            f"{version_name} is not activated, because {folder() / 'latest.pkl'} cannot be replaced: {error.strerror}. "
            "Let this process write there, and remove what is in the way."
        ) from error
    db.session.commit()
    recommender.follow_now()
    originals.publish_active(version)
    return version


def record_activation(
    version: ModelVersion, previous: ModelVersion | None, by: str, reason: str, *, is_rollback: bool
) -> None:
    """Add the activation to the history, the audit log and the outbox of webhooks; the caller commits."""
    db.session.add(
        Activation(
            model_version_id=version.id,
            previous_version_id=previous.id if previous else None,
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
        before={"active": previous.version_name if previous else None},
        after={"active": version.version_name},
        reason=reason,
    )
    webhooks.record(
        db.session.connection(),
        "version.activated",
        version=version.version_name,
        previous=previous.version_name if previous else None,
        is_rollback=is_rollback,
    )


def update_latest_link() -> None:
    """Point latest.pkl at the active version, also when another process activates a version meanwhile.

    Raises:
        OSError: latest.pkl cannot be replaced.
    """
    linked = None
    while (row := find_active_row()) is not None and row.version_name != linked:
        point_latest_at(folder(), row.version_name)
        linked = row.version_name


def is_latest_link_stale() -> bool:
    """Return whether latest.pkl is not the active version, as when a process died during an activation."""
    row = find_active_row()
    if row is None or (media.is_shared() and not (folder() / f"{row.version_name}.pkl").exists()):
        # A host that lacks the active version keeps the link to the one that it has.
        return False
    return not is_latest(folder(), row.version_name)


def find_problem(version: ModelVersion) -> str | None:
    """Return what keeps this version from serving, or None, after reading, hashing and trying every file."""
    if version.pruned_at is not None:
        return f"its files were removed on {version.pruned_at:%Y-%m-%d} by 'flask models prune'."
    try:
        copies.check(version)
    except UntrustedFile as error:
        return str(error)
    return None


def find_original_problem(version: ModelVersion) -> str | None:
    """Return what is wrong with the version's files below MEDIA_URL, or None, after reading each of them."""
    try:
        originals.check_original(version)
    except UntrustedFile as error:
        return str(error)
    return None


def verify() -> dict[str, str | None]:
    """Return what is wrong by name, None for a version that is as it was written.

    The versions come first, the oldest first, then latest.pkl, then files that belong to no version. With MEDIA_URL
    these are the files there; of those on this host, only the active version's are read.
    """
    kept = [version for version in reversed(list_versions()) if version.pruned_at is None]
    find = find_original_problem if media.is_shared() else find_problem
    problems = {version.version_name: find(version) for version in kept}
    active = find_active()
    if active is not None and is_latest_link_stale():
        remedy = f"'flask models activate {active.version_name}' repairs it."
        problems["latest.pkl"] = f"it is not the active version {active.version_name}; {remedy}"
        if media.is_shared():
            problems[active.version_name] = problems[active.version_name] or find_problem(active)
    try:
        strays = copies.list_strays(names(), kept)
    except MediaUnavailable as error:
        return problems | {"MEDIA_URL": str(error)}
    return problems | dict.fromkeys(strays, "its files belong to no recorded version; remove them.")


def trained_on(user_id: int) -> list[str]:
    """Return the names of the versions whose files know this user or cannot be read, the oldest first."""
    kept = [version for version in reversed(list_versions()) if version.pruned_at is None]
    return [version.version_name for version in kept if may_know(version, user_id)]


def may_know(version: ModelVersion, user_id: int) -> bool:
    """Return whether the files of this version know the user, or cannot be read."""
    try:
        ids = copies.read_user_ids(version)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, MediaUnavailable):
        return True
    return bool(Vocabulary(ids).contains(np.array([user_id]))[0])


def prune(keep: int, by: str, reason: str = "") -> list[str]:
    """Remove the files of all but the newest `keep` versions, the active one and the one before it; return the names.

    "Before" is the version that was active last, and the one that a rollback would return to. The rows stay, because
    the history of activations refers to them.
    """
    last = db.session.scalar(sa.select(Activation).order_by(Activation.id.desc()).limit(1))
    kept_ids = {find_replaced_id()} | ({last.model_version_id, last.previous_version_id} if last else set())
    unpruned = [version for version in list_versions() if version.pruned_at is None]
    gone = [version for version in unpruned[keep:] if not version.is_active and version.id not in kept_ids]
    for version in gone:
        # The row comes first: with the files gone and the row not marked, the version would look damaged.
        version.pruned_at = now()
        audit.record(by, "remove files", "version", version.version_name, reason=reason)
    db.session.commit()
    for version in gone:
        try:
            copies.remove(version)
        except OSError as error:
            log.warning("the files of %s are not removed: %s; remove them by hand", version.version_name, error)
    return [version.version_name for version in gone]
