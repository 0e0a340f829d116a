"""Two hosts without a shared disk: versions are uploaded whole, fetched by hash, and never served unchecked."""

import contextlib
import fcntl
import itertools
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, current_app

from recsite import ml, versions
from recsite.errors import MediaUnavailable, UntrustedVersion
from recsite.extensions import db
from recsite.jobs import health
from recsite.ml.files import sha256_of
from recsite.storage.media import Store
from recsite.suggestions.quality import comparison
from recsite.versions import active, originals, training
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld
from tests.processes.servers import RedisServer, wait_until
from tests.storage.buckets import Bucket
from tests.web.apps import make_app
from tests.web.clients import Client, Runner


@pytest.fixture
def shared(app: Flask, trained: TrainedWorld, bucket: Bucket) -> Flask:
    """The host that trained the active version, which it uploads now that MEDIA_URL is set."""
    app.config["MEDIA_URL"] = bucket.url
    versions.activate(trained.version_name, "the tests")
    return app


@pytest.fixture
def other(
    shared: Flask, bucket: Bucket, database_url: str, redis_server: RedisServer, tmp_path: Path
) -> Iterator[Flask]:
    """Another host: the same database and bucket, and nothing in its own folder."""
    host = make_app(database_url, redis_server, tmp_path / "other", MEDIA_URL=bucket.url)
    with host.app_context():
        yield host
        db.session.remove()
        db.engine.dispose()


def train(seed: int = 1) -> str:
    """Train one more version and return its name."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=seed)).version_name


def loaded_name() -> str | None:
    loaded = recommender.current()
    return loaded.version_name if loaded else None


def hidden(app: Flask) -> list[Path]:
    """Return what temporary files are left."""
    return list(Path(app.config["MEDIA_ROOT"]).rglob(".*"))


@contextlib.contextmanager
def copies_locked(app: Flask) -> Iterator[None]:
    """Let fetches of this host wait during the block, as for a slow bucket."""
    folder = Path(app.config["MEDIA_ROOT"], "ml", "models", "surprise")
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
    os.close(descriptor)


def key_of(version_name: str) -> str:
    """Return the key of the version's folder in the bucket."""
    return f"ml/models/surprise/{version_name}-{versions.find(version_name).manifest_sha256[:12]}"


def problem() -> str:
    """Return what the process says about a version that it does not serve, once its fetch is over."""
    recommender.follow_now()
    return recommender.problem()


def skip_pauses() -> None:
    """Let the next poll try again at once."""
    state = current_app.extensions["recommender"]
    state.polled_at = state.fetcher.next_at = -math.inf


def test_another_host_fetches_the_active_version_and_serves_its_own_copy(other: Flask, trained: TrainedWorld) -> None:
    assert loaded_name() is None

    recommender.follow_now()

    assert loaded_name() == trained.version_name
    assert ml.load_model().predict(1, 550).est > 0
    assert hidden(other) == []


def test_a_request_does_not_wait_for_a_fetch(other: Flask, trained: TrainedWorld, client: Client) -> None:
    with copies_locked(other):
        response = client.application.test_client().get("/api/suggestions?user_id=1")
        first = loaded_name(), recommender.problem()

    wait_until(lambda: loaded_name() == trained.version_name, within_seconds=5)
    assert response.status_code == 200
    assert first == (None, f"{trained.version_name} is not loaded: its files are being fetched.")
    assert recommender.problem() == ""


def test_a_version_is_uploaded_whole_and_the_active_one_is_latest_pkl(shared: Flask, bucket: Bucket) -> None:
    name = train()
    uploaded = {Path(key).name for key in bucket.names() if key.startswith(key_of(name))}
    assert uploaded == {"model.pkl", *(path.name for path in (versions.folder() / name).iterdir())}

    versions.activate(name, "the tests")

    assert bucket.read("ml/models/surprise/latest.pkl") == (versions.folder() / f"{name}.pkl").read_bytes()


def test_an_upload_that_fails_leaves_no_row_and_no_file(
    shared: Flask, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bucket.names(), versions.names(), sorted(versions.folder().iterdir())
    upload = Store.upload

    def break_at_the_manifest(store: Store, path: Path, key: str) -> None:
        upload(store, Path("/nowhere") if path.name == "manifest.json" else path, key)

    monkeypatch.setattr(Store, "upload", break_at_the_manifest)
    with pytest.raises(MediaUnavailable, match=rf"Cannot write {bucket.url}/ml/models/\S+/manifest.json: "):
        train()

    assert (bucket.names(), versions.names(), sorted(versions.folder().iterdir())) == before


def test_a_training_without_the_bucket_fails_with_what_to_do(shared: Flask, bucket: Bucket) -> None:
    before = versions.names()
    bucket.stop()

    with pytest.raises(MediaUnavailable, match="See that MEDIA_URL is right, and that this host reaches the place"):
        train()

    assert versions.names() == before


def test_a_host_without_the_bucket_keeps_the_old_version_says_so_and_recovers(
    shared: Flask, other: Flask, bucket: Bucket, trained: TrainedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    recommender.follow_now()
    with shared.app_context():
        new = train()
        versions.activate(new, "the tests")
    bucket.stop()

    assert problem().startswith(f"{new} is not loaded: Cannot read {bucket.url}/ml/models/surprise/{new}-")
    assert loaded_name() == trained.version_name
    assert health.find_readiness()["model"].startswith(f"{trained.version_name} is loaded; {new} is not loaded: Cannot")
    assert f"model version {new} is not fetched: Cannot read" in caplog.text

    bucket.start()
    skip_pauses()
    assert problem() == ""
    assert loaded_name() == new


def test_changed_bytes_in_the_bucket_are_refused(
    shared: Flask, other: Flask, bucket: Bucket, trained: TrainedWorld
) -> None:
    recommender.follow_now()
    with shared.app_context():
        new = train()
        versions.activate(new, "the tests")
    key = f"{key_of(new)}/qi.npy"
    content = bucket.read(key)
    bucket.write(key, content[:-1] + bytes([content[-1] ^ 1]))

    assert problem() == (
        f"{new} is not loaded: {bucket.url}/{key} is not the file that the database recorded; restore it there or "
        "train again."
    )
    assert loaded_name() == trained.version_name
    assert hidden(other) == []
    with pytest.raises(UntrustedVersion, match=r"qi\.npy is not the file that the database recorded"):
        versions.activate(new, "the tests")

    bucket.write(key, content)
    skip_pauses()
    assert problem() == ""


def test_a_damaged_copy_is_fetched_again(other: Flask, trained: TrainedWorld) -> None:
    recommender.follow_now()
    path = versions.folder() / trained.version_name / "qi.npy"
    recorded = sha256_of(path)
    path.with_name("damaged").write_bytes(b"damaged")
    path.with_name("damaged").replace(path)

    versions.activate(trained.version_name, "the tests")

    assert sha256_of(path) == recorded


def test_a_killed_fetch_leaves_nothing_that_counts(other: Flask, trained: TrainedWorld) -> None:
    version = versions.find(trained.version_name)
    db.session.remove()
    child = os.fork()
    if child == 0:
        kill_at_the_third_download(version.version_name, version.manifest_sha256)
    os.waitpid(child, 0)
    left = [path.name for path in versions.folder().iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".fetching-")

    recommender.follow_now()

    assert loaded_name() == trained.version_name
    assert hidden(other) == []


def kill_at_the_third_download(version_name: str, manifest_sha256: str) -> None:
    """Fetch a version, and kill this process after the third file."""
    download, count = Store.download, itertools.count(1)

    def download_and_die(store: Store, key: str, path: Path) -> None:
        download(store, key, path)
        if next(count) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        Store.download = download_and_die  # type: ignore[assignment,method-assign]
        originals.fetch(active.ActiveRow(1, version_name, manifest_sha256))
    finally:
        os._exit(1)


def test_pruning_removes_the_files_everywhere_but_not_the_active_or_the_previous_version(
    shared: Flask, other: Flask, bucket: Bucket, trained: TrainedWorld
) -> None:
    recommender.follow_now()
    with shared.app_context():
        names = [train(seed) for seed in (1, 2)]
        for name in names:
            versions.activate(name, "the tests")
        assert versions.prune(1, "the tests") == [trained.version_name]

    recommender.follow_now()

    assert {name for name in names if f"{key_of(name)}/manifest.json" in bucket.names()} == set(names)
    assert not [key for key in bucket.names() if trained.version_name in key]
    for host in (shared, other):
        assert not list(Path(host.config["MEDIA_ROOT"]).rglob(f"{trained.version_name}*"))


def test_verify_reads_the_bucket_and_names_what_belongs_to_no_version(
    other: Flask, bucket: Bucket, trained: TrainedWorld, runner: Runner
) -> None:
    bucket.write("ml/models/surprise/model-77-0123456789ab/model.pkl", b"left by a killed training")
    bucket.write(f"{key_of(trained.version_name)}/bi.npy", b"damaged")

    problems = versions.verify()

    assert "bi.npy is not the file that the database recorded" in str(problems[trained.version_name])
    assert f"{bucket.url}/ml/models/surprise/model-77-0123456789ab" in problems


def test_a_host_without_a_copy_knows_whom_a_version_was_trained_on(other: Flask, trained: TrainedWorld) -> None:
    assert versions.trained_on(trained.alice) == [trained.version_name]
    assert versions.trained_on(trained.dave) == []


def test_without_the_bucket_no_version_is_activated_uncompared(
    shared: Flask, other: Flask, bucket: Bucket, trained: TrainedWorld
) -> None:
    new = train()
    bucket.stop()

    with pytest.raises(UntrustedVersion, match=f"{new} cannot be compared with the active version: "):
        comparison.activate_unless_worse(new, "the tests", "")


def test_doctor_says_whether_the_place_can_be_used(shared: Flask, bucket: Bucket, runner: Runner) -> None:
    assert f"ok ({bucket.url})" in runner.invoke(args=["doctor"]).output

    bucket.stop()

    assert f"Cannot write {bucket.url}/.tried-" in runner.invoke(args=["doctor"]).output
