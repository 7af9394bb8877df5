"""A requeued SLURM job finds the run that it had begun."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import pytest

from visionlab import project
from visionlab.commands import train
from visionlab.config.load import load_train_config
from visionlab.data.digits import Digits
from visionlab.errors import InterruptedRun
from visionlab.tracking.run import Run
from visionlab.training import requeue
from visionlab.training.engine import train as train_run


@pytest.fixture(autouse=True)
def step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_STEP_ID", "0")


@pytest.fixture
def run() -> Run:
    run = Run(project.runs() / "abcd-digits")
    run.path.mkdir(parents=True)
    writer = run.journal()
    writer.append("start", run=run.id, params={}, tags={})
    writer.append("status", status="FINISHED", tags={})
    writer.close()
    return run


def test_only_a_requeued_job_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    requeue.remember(run)
    assert requeue.begun_before() is None  # another process of this step, which has come later
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert requeue.begun_before() == run
    monkeypatch.setenv("SLURM_STEP_ID", "1")
    assert requeue.begun_before() is None
    monkeypatch.delenv("SLURM_STEP_ID")
    assert requeue.begun_before() is None


def test_a_run_that_was_begun_after_the_requeueing_is_no_earlier_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    requeue.remember(run)
    assert requeue.begun_before() is None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert requeue.begun_before() == run


def test_a_finished_run_is_left_as_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requeue.remember(run)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    train.run(argparse.Namespace(overrides=["experiment=digits"]))
    assert "abcd-digits: is finished" in capsys.readouterr().out


def fake_scontrol(folder: Path, last_line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "scontrol"
    file.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{last_line}\n')
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_job_is_requeued_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_scontrol(tmp_path, "", monkeypatch)
    assert requeue.requeue() is None
    assert (tmp_path / "asked").read_text() == "requeue 17\n"


def test_what_slurm_says_against_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_scontrol(tmp_path, "echo Job requeue is disabled >&2; exit 1", monkeypatch)
    assert requeue.requeue() == "Job requeue is disabled"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "scontrol" in (requeue.requeue() or "")


def test_the_commands_of_a_step_have_notes_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["visionlab", "train", "experiment=digits"])
    requeue.remember(run)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setattr(sys, "argv", ["visionlab", "train", "experiment=digits", "seed=1"])
    assert requeue.begun_before() is None
    monkeypatch.setattr(sys, "argv", ["visionlab", "train", "experiment=digits"])
    assert requeue.begun_before() == run


def test_a_job_that_is_told_to_end_before_its_run_begins_is_requeued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_scontrol(tmp_path, "", monkeypatch)
    read = Digits.read

    def told_meanwhile(self: Digits) -> object:
        os.kill(os.getpid(), signal.SIGUSR1)
        return read(self)

    monkeypatch.setattr(Digits, "read", told_meanwhile)
    with pytest.raises(InterruptedRun):
        train_run(load_train_config(["experiment=digits", "trainer.accelerator=cpu", "tracking=off"]))
    assert (tmp_path / "asked").read_text() == "requeue 17\n"
    assert "stopped before the run began; the job is requeued" in capsys.readouterr().err
    assert not list(project.runs().glob("*-digits"))
