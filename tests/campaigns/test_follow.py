"""What the journal of a run says of how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab import project
from visionlab.campaigns.follow import Follower, outcome
from visionlab.campaigns.launcher import OUTPUT
from visionlab.config.load import load_train_config
from visionlab.config.search import Objective
from visionlab.tracking.run import Run

ACCURACY = (Objective(),)


@pytest.fixture
def run(home: Path) -> Run:
    made = Run.create(project.runs(), load_train_config(["experiment=digits"]))
    made.journal().append("start", run=made.id, params={"model.parameters": 123}, tags={})
    return made


def end(run: Run, status: str, **tags: str) -> None:
    run.journal().append("status", status=status, tags=tags)


def test_validations_are_passed_on_as_they_come(run: Run) -> None:
    follower = Follower(run, "val/accuracy")
    writer = run.journal()
    assert follower.news() == []
    writer.metrics(9, {"train/loss": 1.0})
    writer.metrics(10, {"val/accuracy": 0.5, "val/loss": 1.0, "epoch": 1})
    assert follower.news() == [(1, 0.5)]
    assert follower.news() == []
    writer.metrics(20, {"val/accuracy": 0.75, "epoch": 2})
    writer.metrics(30, {"val/accuracy": 0.625, "epoch": 3})
    assert follower.news() == [(2, 0.75), (3, 0.625)]
    assert follower.latest == 0.625


def test_a_finished_run_has_its_values(run: Run) -> None:
    run.add_to_report(validation={"accuracy": 0.9, "loss": 0.25}, latency_ms=1.5)
    end(run, "FINISHED")
    objectives = [Objective(metric=name) for name in ("val/loss", "model.parameters", "latency_ms")]
    found = outcome(run, 0, objectives)
    assert (found.state, found.values) == ("finished", (0.25, 123.0, 1.5))


@pytest.mark.parametrize("report", [{}, {"validation": {"accuracy": float("nan")}}])
def test_a_run_without_a_value_has_failed(run: Run, report: dict[str, object]) -> None:
    run.add_to_report(**report)
    end(run, "FINISHED")
    found = outcome(run, 0, ACCURACY)
    assert (found.state, found.reason) == ("failed", "it ended without a value of val/accuracy")


def test_a_pruned_run_is_no_failure(run: Run) -> None:
    end(run, "FINISHED", pruned="after 100 images")
    assert outcome(run, 0, ACCURACY).state == "pruned"


def test_a_run_that_was_told_to_stop_is_told_apart_from_one_that_was_killed(run: Run) -> None:
    end(run, "KILLED", signal="SIGTERM")
    assert outcome(run, 143, ACCURACY).state == "stopped"


def test_a_killed_run_says_by_what_and_is_marked(run: Run) -> None:
    (run.path / OUTPUT).write_text("epoch 1\nepoch 2\n")
    found = outcome(run, -9, ACCURACY)
    assert found.state == "failed"
    assert found.reason == "killed by SIGKILL, perhaps for want of memory | epoch 1 | epoch 2"
    assert run.status() == "KILLED"


def test_an_error_is_named_once_with_the_last_lines_of_output(run: Run) -> None:
    (run.path / OUTPUT).write_text("one\ntwo\nthree\nfour\nTraceback\nRuntimeError: it broke\n")
    end(run, "FAILED", **{"error.class": "RuntimeError", "error.message": "it broke"})
    assert outcome(run, 1, ACCURACY).reason == "RuntimeError: it broke | three | four | Traceback"


def test_a_run_that_ended_before_its_first_word_has_failed(home: Path) -> None:
    run = Run.create(project.runs(), load_train_config(["experiment=digits"]))
    run.journal_file.write_bytes(b'{"kind": "sta')
    assert outcome(run, -9, ACCURACY).reason == "killed by SIGKILL, perhaps for want of memory"


def test_a_run_that_never_began_has_failed_with_what_it_printed(home: Path) -> None:
    run = Run.create(project.runs(), load_train_config(["experiment=digits"]))
    (run.path / OUTPUT).write_text("visionlab: CIFAR-10: found nowhere\n")
    found = outcome(run, 2, ACCURACY)
    assert (found.state, found.reason) == ("failed", "exit code 2 | visionlab: CIFAR-10: found nowhere")
