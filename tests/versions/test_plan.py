"""What a training takes, said before it starts."""

from pathlib import Path

import pytest
from flask import Flask

from recsite import versions
from recsite.errors import InsufficientResources
from recsite.versions import plan, training
from tests.conftest import TrainedWorld
from tests.web.clients import Runner

GIB = 1024**3


def test_the_command_prints_the_plan_and_trains_nothing(runner: Runner, trained: TrainedWorld) -> None:
    printed = runner.invoke(args=["train", "--plan"]).stdout

    assert printed.startswith("Training on ")
    assert " ratings of 12 users and " in printed
    assert " takes less than a minute, 0.3 GiB of memory and 0.1 GiB of disk." in printed
    assert len(versions.list_versions()) == 1


def test_a_training_that_does_not_fit_is_refused_with_the_plan(
    runner: Runner, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda: 100 * 1024**2)

    for args in (["train", "--plan"], ["train"]):
        result = runner.invoke(args=args)
        assert result.exit_code == 1, args
        assert "Training on " in result.stderr
        assert (
            "Only 0.1 GiB of memory are free. Give this process more memory, or lower RANKER_MOST_MOVIES"
            in result.stderr
        )
    assert len(versions.list_versions()) == 1


def test_a_full_disk_is_named(app: Flask, trained: TrainedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan.make_plan(training.set_up_from_settings())
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": found.disk_bytes - 1}))

    with pytest.raises(InsufficientResources, match="of disk are free under"):
        plan.require_resources(found)


def test_more_of_anything_takes_more(app: Flask) -> None:
    set_up = training.set_up_from_settings()
    small = plan.estimate(set_up, 1_000_000, 7_000, 4_000, 4_000, threads=2)
    for larger in (
        plan.estimate(set_up, 2_000_000, 7_000, 4_000, 4_000, threads=2),
        plan.estimate(set_up, 1_000_000, 7_000, 8_000, 8_000, threads=2),
    ):
        assert larger.seconds > small.seconds
        assert larger.peak_bytes > small.peak_bytes
        assert larger.disk_bytes > small.disk_bytes
    assert plan.estimate(set_up, 1_000_000, 7_000, 4_000, 4_000, threads=1).seconds > small.seconds


def test_the_limit_of_a_container_counts(tmp_path: Path) -> None:
    assert plan.container_memory(tmp_path) is None
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert plan.container_memory(tmp_path) is None
    (tmp_path / "memory.max").write_text(f"{3 * GIB}\n")
    assert plan.container_memory(tmp_path) == 2 * GIB
    (tmp_path / "meminfo").write_text("MemTotal:  8 kB\nMemAvailable:    2048 kB\n")
    assert plan.system_memory(tmp_path / "meminfo") == 2 * 1024**2
    assert plan.system_memory(tmp_path / "missing") is None
