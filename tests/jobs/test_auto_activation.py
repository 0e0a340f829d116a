"""What the nightly training does with its version, and which files it removes."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from recsite import jobs, versions
from recsite.extensions import db
from recsite.jobs import schedule
from recsite.jobs.schedule import SCHEDULE
from recsite.storage import audit
from recsite.storage.tables import AuditEntry, ModelVersion
from recsite.suggestions.quality import auto_activation, comparison
from recsite.suggestions.quality.comparison import Comparison, Figure
from recsite.versions import training
from recsite.versions.pieces import Workspace
from tests.conftest import TrainedWorld
from tests.jobs.blocks_at_work import work_off

NIGHTLY = next(entry for entry in SCHEDULE if entry.name == "train")
BETTER = {"rmse": 0.1, "metrics": {"ranking": {"time": {"version": {"ndcg_at_10": 1.0}}}}}
WORSE = {"rmse": 9.0, "metrics": {}}


@pytest.fixture(autouse=True)
def small_training(app: Flask) -> None:
    """Train in a second, on ratings of which every measure tolerates nearly everything."""
    app.config.update(TRAIN_FACTORS=2, TRAIN_EPOCHS=3, TRAIN_FOLDS=2)


def train_nightly(monkeypatch: pytest.MonkeyPatch | None = None, **figures: object) -> tuple[str, str]:
    """Do the scheduled training whose version has these figures; return the name and the outcome."""
    run_id = schedule.start(NIGHTLY, "train tonight")
    assert run_id is not None
    complete = training.complete

    def complete_and_change(workspace: Workspace) -> ModelVersion:
        version = complete(workspace)
        for name, value in figures.items():
            setattr(version, name, value)
        db.session.commit()
        return version

    if monkeypatch:
        monkeypatch.setattr(training, "complete", complete_and_change)
    outcome = work_off(run_id)
    return versions.list_versions()[0].version_name, outcome


def active_name() -> str | None:
    return db.session.scalar(sa.select(ModelVersion.version_name).where(ModelVersion.is_active))


def last_entry() -> AuditEntry:
    return audit.latest(1)[0]


@pytest.mark.parametrize(
    ("policy", "figures", "is_activated", "why"),
    (
        ("if-not-worse", BETTER, True, "AUTO_ACTIVATE is if-not-worse, and it is not clearly worse than"),
        ("if-not-worse", WORSE, False, "It is clearly worse than"),
        ("if-better", BETTER, True, "AUTO_ACTIVATE is if-better, and it is not clearly worse than"),
        ("if-better", WORSE, False, "It is clearly worse than"),
        ("never", BETTER, False, "AUTO_ACTIVATE is never."),
    ),
)
def test_the_setting_decides_about_the_nightly_version_and_the_audit_log_says_why(
    app: Flask,
    trained: TrainedWorld,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    figures: dict[str, object],
    is_activated: bool,
    why: str,
) -> None:
    app.config["AUTO_ACTIVATE"] = policy

    name, outcome = train_nightly(monkeypatch, **figures)

    entry = last_entry() if not is_activated else next(e for e in audit.latest(5) if e.action == "activate")
    assert active_name() == (name if is_activated else trained.version_name)
    assert (entry.by, entry.kind, entry.subject) == ("the schedule", "version", name)
    assert entry.action == ("activate" if is_activated else "leave inactive")
    assert entry.reason.startswith(why)
    assert outcome.startswith(f"{name}, {'active' if is_activated else 'not activated'}: {why}")


@pytest.mark.parametrize(
    ("figures", "better"),
    (
        ((Figure("RMSE", 0.9, 0.8, 0.02), Figure("NDCG@10 by time", 0.3, 0.29, -0.05)), False),
        ((Figure("RMSE", 0.9, 0.91, 0.02), Figure("NDCG@10 by time", 0.3, 0.31, -0.05)), True),
        ((Figure("RMSE", 0.9, 0.8, 0.02),), True),
        ((Figure("RMSE", 0.9, 0.9, 0.02),), False),
        ((), False),
    ),
)
def test_better_is_a_better_order_or_without_that_a_smaller_error(figures: tuple[Figure, ...], better: bool) -> None:
    found = Comparison("model-80", "model-90", figures, 0, None, (), ())

    assert comparison.is_better(found.figures) == better
    assert (auto_activation.judge("if-better", found)[0] is None) == better
    assert auto_activation.judge("if-not-worse", found)[0] is None


def test_a_first_version_needs_no_comparison(app: Flask, trained: TrainedWorld) -> None:
    db.session.execute(sa.update(ModelVersion).values(is_active=False))
    db.session.commit()

    name, outcome = train_nightly()

    assert active_name() == name
    assert "no version is active" in outcome


def test_a_training_that_a_person_queued_is_activated_only_if_they_say_so(app: Flask, trained: TrainedWorld) -> None:
    outcome = work_off(jobs.start("train", "alice"))

    assert outcome.endswith(", not activated")
    assert active_name() == trained.version_name


def test_a_queued_training_removes_the_files_of_old_versions(app: Flask, trained: TrainedWorld) -> None:
    app.config.update(AUTO_ACTIVATE="never", VERSIONS_KEPT=2)
    second, third = (training.train(training.set_up_from_settings(seed=seed)).version_name for seed in (1, 2))

    name, _ = train_nightly()

    files = {path.stem for path in Path(versions.folder()).glob("model-*.pkl")}
    assert files == {trained.version_name, third, name}
    (entry,) = (each for each in audit.latest(5) if each.action == "remove files")
    assert (entry.by, entry.subject, entry.reason) == ("the schedule", second, "VERSIONS_KEPT is 2.")


def test_after_a_rollback_the_next_one_back_is_kept(trained: TrainedWorld) -> None:
    second, third = (training.train(training.set_up_from_settings(seed=seed)).version_name for seed in (1, 2))
    versions.activate(second, "alice")
    versions.activate(third, "alice")
    versions.roll_back("alice")

    versions.prune(keep=1, by="alice")

    assert versions.roll_back("alice").version_name == trained.version_name
