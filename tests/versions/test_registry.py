"""Training records a version; activating and rolling back moves one pointer."""

import contextlib
import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import ml, movies, suggestions, versions
from recsite.errors import NotEnoughRatings, NothingToRollBackTo, UntrustedVersion, VersionNotFound
from recsite.extensions import db
from recsite.jobs.worker import AppWorker
from recsite.ml.pickles import UntrustedFile
from recsite.storage.tables import Activation, ModelVersion, Rating
from recsite.versions import registry, training
from recsite.versions.active import recommender
from tests.conftest import TrainedWorld, World
from tests.web.clients import Client, Runner


def train(seed: int) -> str:
    """Train one more version and return its name."""
    return training.train(training.set_up_from_settings(factors=2, epochs=3, folds=2, seed=seed)).version_name


def folder(app: Flask) -> Path:
    path: Path = app.config["MEDIA_ROOT"] / "ml" / "models" / "surprise"
    return path


def test_a_version_is_named_by_its_held_out_error(trained: TrainedWorld) -> None:
    version = versions.find(trained.version_name)

    assert version.version_name == f"model-{int(100 * version.rmse)}"
    assert (version.rating_count, version.user_count, version.movie_count) == (47, 10, 6)
    assert version.parameters["factors"] == 3


def test_versions_are_not_named_by_training_error(trained: TrainedWorld) -> None:
    algo = ml.load_model()
    rows = db.session.execute(sa.select(Rating.user_id, Rating.movie_id, Rating.value)).all()
    on_training_data = (sum((value - algo.predict(u, i).est) ** 2 for u, i, value in rows) / len(rows)) ** 0.5

    version = versions.find(trained.version_name)

    assert version.rmse > on_training_data
    assert version.mae <= version.rmse


def test_the_files_of_a_version_are_those_of_the_design(app: Flask, trained: TrainedWorld) -> None:
    name = trained.version_name

    manifest = json.loads((folder(app) / name / "manifest.json").read_text())
    assert (folder(app) / f"{name}.pkl").is_file()
    assert (folder(app) / "latest.pkl").resolve() == (folder(app) / f"{name}.pkl").resolve()
    assert set(manifest) >= {"libraries", "id_type", "scale", "arrays", "golden", "pickle"}
    assert not list(folder(app).glob(".*"))


def test_training_takes_enough_ratings(world: World) -> None:
    with pytest.raises(NotEnoughRatings, match="There are 7 ratings; training takes at least 10"):
        train(1)


def test_a_trained_version_is_not_active_by_itself(trained: TrainedWorld) -> None:
    name = train(1)

    active = versions.find_active()
    assert active is not None
    assert active.version_name == trained.version_name != name


@pytest.mark.both_databases
def test_activating_moves_the_pointer_the_link_and_this_process(app: Flask, trained: TrainedWorld) -> None:
    name = train(1)

    versions.activate(name, "alice", reason="better")

    assert db.session.scalars(sa.select(ModelVersion.version_name).filter_by(is_active=True)).all() == [name]
    assert (folder(app) / "latest.pkl").resolve().stem == name
    loaded = recommender.current()
    assert loaded is not None
    assert loaded.version_name == name


@pytest.mark.both_databases
def test_of_two_activations_at_once_the_second_replaces_the_first(
    app: Flask, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [train(seed) for seed in (1, 2)]
    db.session.commit()
    has_read = threading.Barrier(2)
    find_active = registry.find_active

    def find_active_and_wait() -> ModelVersion | None:
        found = find_active()
        # Both have read before one of them writes, unless one has to wait for the other.
        with contextlib.suppress(threading.BrokenBarrierError):
            has_read.wait(timeout=2)
        return found

    def activate(name: str) -> None:
        with app.app_context():
            versions.activate(name, "alice")

    monkeypatch.setattr(registry, "find_active", find_active_and_wait)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(activate, names))

    second, first = versions.list_activations()[:2]
    assert {first.version.version_name, second.version.version_name} == set(names)
    assert second.previous_version_id == first.model_version_id
    assert versions.find_active() == second.version


@pytest.mark.both_databases
def test_every_activation_is_kept_with_its_person_time_and_reason(trained: TrainedWorld) -> None:
    name = train(1)
    versions.activate(name, "alice", reason="better")

    newest, first = versions.list_activations()

    assert (newest.version.version_name, newest.activated_by, newest.reason) == (name, "alice", "better")
    assert newest.previous_version_id == first.model_version_id
    assert newest.activated_at > first.activated_at


@pytest.mark.both_databases
def test_each_rollback_goes_one_version_further_back(trained: TrainedWorld) -> None:
    second, third = train(1), train(2)
    versions.activate(second, "alice")
    versions.activate(third, "alice")

    assert versions.roll_back("alice").version_name == second
    assert versions.roll_back("alice").version_name == trained.version_name
    with pytest.raises(NothingToRollBackTo, match="no earlier active version"):
        versions.roll_back("alice")


@pytest.mark.both_databases
def test_activating_the_active_version_again_only_repairs_the_link(app: Flask, trained: TrainedWorld) -> None:
    (folder(app) / "latest.pkl").unlink()

    versions.activate(trained.version_name, "alice")

    assert (folder(app) / "latest.pkl").exists()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Activation)) == 1


@pytest.mark.both_databases
def test_a_worker_repairs_the_link_after_an_activation_was_killed(app: Flask, trained: TrainedWorld) -> None:
    second = train(1)
    db.session.execute(sa.update(ModelVersion).values(is_active=False))
    db.session.execute(sa.update(ModelVersion).where(ModelVersion.version_name == second).values(is_active=True))
    db.session.commit()

    AppWorker(app).run_maintenance_tasks()

    assert (folder(app) / "latest.pkl").resolve().stem == second


def test_an_unknown_version_is_not_found(trained: TrainedWorld) -> None:
    with pytest.raises(VersionNotFound, match=r"'model-1'.*flask models list"):
        versions.activate("model-1", "alice")


@pytest.mark.parametrize("damaged", ("{}.pkl", "{}/qi.npy", "{}/manifest.json"))
def test_a_damaged_version_is_not_activated_and_the_old_one_keeps_serving(
    app: Flask, trained: TrainedWorld, damaged: str
) -> None:
    name = train(1)
    path = folder(app) / damaged.format(name)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(UntrustedVersion, match=f"{name} is not activated"):
        versions.activate(name, "alice")

    loaded = recommender.current()
    assert loaded is not None
    assert loaded.version_name == trained.version_name


def test_a_site_with_damaged_active_files_starts_and_serves_stored_lists(
    app: Flask, client: Client, trained: TrainedWorld
) -> None:
    suggestions.rescore([trained.bob])
    path = folder(app) / trained.version_name / "qi.npy"
    path.write_bytes(path.read_bytes()[:-1])

    # As in a new process: nothing is loaded yet.
    recommender.init_app(app)

    response = client.get(f"/api/suggestions/?user_id={trained.bob}")
    assert recommender.current() is None
    assert response.headers["X-Suggestion-Source"] == "model"
    assert len(response.json["suggestions"]) == 4


def test_a_latest_pkl_from_elsewhere_is_not_opened(app: Flask, trained: TrainedWorld) -> None:
    latest = folder(app) / "latest.pkl"
    latest.unlink()
    latest.write_bytes(pickle.dumps({"model": "mine"}))

    with pytest.raises(UntrustedFile, match="no version in the database"):
        ml.load_model()


def test_the_model_that_is_loaded_predicts_what_surprise_gives(trained: TrainedWorld) -> None:
    algo = ml.load_model(model_type="surprise", model_ext="pkl")
    loaded = recommender.current()

    assert loaded is not None
    model = loaded.opened.model
    users, movies = model.users.ids, model.movies.ids
    one_by_one = [[algo.predict(uid=u, iid=i).est for i in movies.tolist()] for u in users.tolist()]
    assert abs(model.score(users, movies) - one_by_one).max() < 1e-12


@pytest.mark.both_databases
def test_verify_names_damaged_and_unknown_files(app: Flask, runner: Runner, trained: TrainedWorld) -> None:
    assert runner.invoke(args=["models", "verify"]).exit_code == 0
    (folder(app) / f"{trained.version_name}.pkl").write_bytes(b"")
    (folder(app) / "model-12.pkl").write_bytes(b"")

    result = runner.invoke(args=["models", "verify"])

    assert result.exit_code == 1
    assert f"{trained.version_name}: " in result.output
    assert "model-12: its files belong to no recorded version" in result.output


@pytest.mark.both_databases
def test_pruning_spares_the_active_version_and_the_one_before(app: Flask, trained: TrainedWorld) -> None:
    second, third, fourth = train(1), train(2), train(3)
    versions.activate(second, "alice")

    assert versions.prune(keep=1, by="the tests") == [third]
    assert {path.stem for path in folder(app).glob("model-*.pkl")} == {trained.version_name, second, fourth}
    with pytest.raises(UntrustedVersion, match="were removed"):
        versions.activate(third, "alice")


@pytest.mark.both_databases
def test_no_active_version_is_a_normal_state(world: World) -> None:
    movies.refresh_averages()

    assert recommender.current() is None
    assert versions.verify() == {}
