"""Model files that cannot be read, links that cannot be made, and who may read what is written."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import versions
from recsite.errors import UntrustedVersion
from recsite.extensions import db
from recsite.jobs.worker import AppWorker
from recsite.ml.files import open_version
from recsite.ml.pickles import UntrustedFile
from recsite.ratings import exports
from recsite.storage.tables import Activation, ModelVersion
from recsite.versions import training
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld, World, add_more_users
from tests.web.clients import Client, Runner

STRANGER = 54321
ALWAYS_AN_INPUT_ERROR = Path("/proc/self/mem")
"Reading its first byte is EIO, as on a disk that fails."


def train() -> str:
    """Train one more version and return its name."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=1)).version_name


def folder(app: Flask) -> Path:
    path: Path = app.config["MEDIA_ROOT"] / "ml" / "models" / "surprise"
    return path


def replace_by_folder(path: Path) -> None:
    """Make reading the file IsADirectoryError."""
    path.unlink()
    path.mkdir()


def replace_by_loop(path: Path) -> None:
    """Make reading the file ELOOP."""
    path.unlink()
    path.symlink_to(path.name)


def replace_by_bad_disk(path: Path) -> None:
    """Make reading the file EIO."""
    if not ALWAYS_AN_INPUT_ERROR.exists():
        pytest.skip("this system has no /proc/self/mem")
    path.unlink()
    path.symlink_to(ALWAYS_AN_INPUT_ERROR)


DAMAGES = (replace_by_folder, replace_by_loop, replace_by_bad_disk)
Damage = Callable[[Path], None]


def activate_elsewhere(name: str) -> None:
    """Move the pointer as another process does, without a look at the files."""
    db.session.execute(sa.update(ModelVersion).values(is_active=False))
    db.session.execute(sa.update(ModelVersion).where(ModelVersion.version_name == name).values(is_active=True))
    db.session.commit()


@pytest.mark.parametrize("file", ("manifest.json", "qi.npy"))
@pytest.mark.parametrize("damage", DAMAGES)
def test_while_a_version_cannot_be_read_the_last_good_one_serves(
    app: Flask, client: Client, trained: TrainedWorld, damage: Damage, file: str
) -> None:
    name = train()
    damage(folder(app) / name / file)
    activate_elsewhere(name)

    recommender.follow_now()

    loaded = recommender.current()
    assert loaded is not None
    assert loaded.version_name == trained.version_name
    assert [client.get(path).status_code for path in ("/", "/movies/550/", "/readyz")] == [200] * 3


def start_with_damaged_version(app: Flask, damage: Damage) -> str:
    """Activate a new version, damage its files, and load it as in a new process; return its name."""
    name = train()
    activate_elsewhere(name)
    for file in (f"{name}/qi.npy", f"{name}.pkl", "latest.pkl"):
        damage(folder(app) / file)
    recommender.init_app(app)
    return name


@pytest.mark.parametrize("damage", DAMAGES)
def test_commands_work_while_the_active_version_cannot_be_read(
    app: Flask, runner: Runner, trained: TrainedWorld, damage: Damage
) -> None:
    name = start_with_damaged_version(app, damage)

    doctor = runner.invoke(args=["doctor"])
    verify = runner.invoke(args=["models", "verify"])

    assert recommender.current() is None
    assert (doctor.exit_code, verify.exit_code) == (1, 1)
    assert f"model      {name} is damaged: " in doctor.stdout
    assert f"{trained.version_name}: ok" in verify.stdout
    assert "latest.pkl: it is not the active version" in verify.stdout


@pytest.mark.parametrize("damage", DAMAGES[1:])
def test_an_older_version_takes_over_from_one_that_cannot_be_read(
    app: Flask, runner: Runner, trained: TrainedWorld, damage: Damage
) -> None:
    start_with_damaged_version(app, damage)

    result = runner.invoke(args=["models", "activate", trained.version_name])

    assert result.output.startswith(f"{trained.version_name} is active."), result.output
    assert (folder(app) / "latest.pkl").resolve().stem == trained.version_name


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_version_whose_pickle_cannot_be_read_is_not_activated(
    app: Flask, trained: TrainedWorld, damage: Damage
) -> None:
    name = train()
    damage(folder(app) / f"{name}.pkl")

    with pytest.raises(UntrustedVersion, match=f"{name} is not activated: .*{name}.pkl cannot be read"):
        versions.activate(name, "alice")


@pytest.fixture
def as_stranger() -> Iterator[None]:
    """A process that runs as a user who does not own the files and may not read them."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(STRANGER)
    yield
    os.seteuid(0)


def test_a_file_without_permission_is_refused(
    app: Flask, trained: TrainedWorld, request: pytest.FixtureRequest
) -> None:
    version, path = versions.find(trained.version_name), folder(app) / trained.version_name
    manifest_sha256 = version.manifest_sha256
    (path / "qi.npy").chmod(0)
    request.getfixturevalue("as_stranger")

    with pytest.raises(UntrustedFile, match="cannot be read"):
        open_version(path, manifest_sha256)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def private_umask() -> Iterator[None]:
    """Let new files belong to their owner alone, as some systems do for services."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_the_files_of_a_version_can_be_read_by_other_users(app: Flask, world: World, private_umask: None) -> None:
    add_more_users()

    name = train()

    files = [folder(app) / f"{name}.pkl", *(folder(app) / name).iterdir()]
    assert {mode_of(path) for path in files} == {0o644}
    assert {mode_of(path) for path in (folder(app) / name, folder(app), folder(app).parent)} == {0o755}


@pytest.mark.parametrize("file", ("manifest.json", "qi.npy", "user_ids.npy"))
def test_a_file_that_was_cut_short_is_refused_before_it_is_mapped(app: Flask, trained: TrainedWorld, file: str) -> None:
    name = train()
    path = folder(app) / name / file
    os.truncate(path, path.stat().st_size // 2)
    activate_elsewhere(name)

    recommender.follow_now()

    loaded = recommender.current()
    assert loaded is not None
    assert loaded.version_name == trained.version_name
    assert file in (versions.verify()[name] or "")


def test_an_erasure_names_versions_whose_files_cannot_be_read(app: Flask, trained: TrainedWorld) -> None:
    path = folder(app) / trained.version_name / "user_ids.npy"
    os.truncate(path, path.stat().st_size // 2)

    assert versions.trained_on(trained.dave) == [trained.version_name]


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse symbolic links, as volumes of SMB and exFAT do. This replaces the outside: tests cannot mount one."""

    def refuse(self: Path, target: str, target_is_directory: bool = False) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(self))

    monkeypatch.setattr(Path, "symlink_to", refuse)


def test_without_symbolic_links_latest_pkl_is_a_copy(app: Flask, trained: TrainedWorld, no_links: None) -> None:
    name = train()

    versions.activate(name, "alice")

    latest = folder(app) / "latest.pkl"
    assert not latest.is_symlink()
    assert latest.read_bytes() == (folder(app) / f"{name}.pkl").read_bytes()
    assert not versions.is_latest_link_stale()
    assert versions.verify() == {trained.version_name: None, name: None}
    assert not list(folder(app).glob(".*"))


def test_a_copy_of_another_version_is_repaired_by_a_worker(app: Flask, trained: TrainedWorld, no_links: None) -> None:
    name = train()
    versions.activate(name, "alice")
    activate_elsewhere(trained.version_name)
    assert versions.is_latest_link_stale()

    AppWorker(app).run_maintenance_tasks()

    assert (folder(app) / "latest.pkl").read_bytes() == (folder(app) / f"{trained.version_name}.pkl").read_bytes()


def put_folder_in_the_way(app: Flask) -> None:
    """Make it impossible to replace latest.pkl, for root as well."""
    latest = folder(app) / "latest.pkl"
    latest.unlink()
    (latest / "in-the-way").mkdir(parents=True)


@pytest.mark.both_databases
def test_nothing_is_activated_where_latest_pkl_cannot_be_replaced(app: Flask, trained: TrainedWorld) -> None:
    name = train()
    put_folder_in_the_way(app)

    with pytest.raises(UntrustedVersion, match=f"{name} is not activated, because .*latest.pkl cannot be replaced"):
        versions.activate(name, "alice")

    db.session.rollback()
    assert db.session.scalars(sa.select(ModelVersion.version_name).filter_by(is_active=True)).all() == [
        trained.version_name
    ]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Activation)) == 1
    assert not list(folder(app).glob(".*"))


def test_a_worker_goes_on_where_latest_pkl_cannot_be_replaced(
    app: Flask, trained: TrainedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    put_folder_in_the_way(app)

    AppWorker(app).run_maintenance_tasks()

    assert "latest.pkl cannot be replaced" in caplog.text


def test_without_symbolic_links_the_latest_export_is_a_copy(app: Flask, world: World, no_links: None) -> None:
    path = exports.export_ratings()

    latest = path.with_name("latest.csv")
    assert not latest.is_symlink()
    assert latest.read_bytes() == path.read_bytes()
    assert {mode_of(latest), mode_of(path)} == {0o640}


def test_a_command_names_the_folder_that_it_cannot_write(app: Flask, runner: Runner, world: World) -> None:
    app.config["MEDIA_ROOT"].write_text("a file where the folder should be")

    result = runner.invoke(args=["export", "ratings"])

    assert (result.exit_code, result.output.startswith("Error: Cannot read or write ")) == (1, True)
    assert "exports" in result.output


def test_others_cannot_read_the_sqlite_file_and_the_exports(app: Flask, world: World) -> None:
    database = Path(str(db.engine.url.database))
    files = [*database.parent.glob(f"{database.name}*"), exports.export_ratings(), exports.export_movies()]

    assert {path.name: mode_of(path) for path in files} == {path.name: 0o640 for path in files}
