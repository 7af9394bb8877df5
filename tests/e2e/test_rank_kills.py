"""A process of several that is killed ends them all, and the run that goes on comes out the same to the last bit."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tracking.stored import points_in_journal, points_in_mlflow, stored
from tests.training.test_resume import assert_same
from visionlab import project
from visionlab.config.trainer import TrackingConfig
from visionlab.tracking import journal
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run

Cli = Callable[..., subprocess.CompletedProcess[str]]
EPOCHS, STEPS = 20, 25  # STEPS to an epoch
KILLS = 5
OPTIONS = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[32]",
    "model.dropout=0.3",
    "data.batch_size=50",
    "data.augment.mixup=0.2",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.ema_decay=0.9",
    "trainer.accelerator=cpu",
    "trainer.devices=2",
    "trainer.precision=32-true",
    "trainer.log_every=5",
    "tracking.figures=false",
]


def ranks(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that train: the one that was started, and those that it has started for it."""
    first = psutil.Process(process.pid)
    others = []
    for child in first.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "LOCAL_RANK" in child.environ() and not any("shipper" in word for word in child.cmdline()):
                others.append(child)
    return [first, *sorted(others, key=lambda child: int(child.environ()["LOCAL_RANK"]))]


def wait_for_step(step: int, process: subprocess.Popen[bytes], output: Path) -> Run:
    """The newest run, as soon as its journal is at `step`."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, output.read_text()
        run = all_runs(project.runs())[-1]
        if run.id.endswith("killed") and max(steps_of(run), default=0) >= step:
            return run
        time.sleep(0.005)
    raise AssertionError(f"step {step} never came: {output.read_text()}")


def steps_of(run: Run) -> list[int]:
    return [record["step"] for record in journal.read(run.journal_file)[0] if "train/loss" in record.get("values", {})]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_kills_at_random_moments_leave_no_trace(cli: Cli, home: Path) -> None:
    from visionlab.tracking.mlflow import connect

    connect(TrackingConfig())  # to make the database takes longer than to train
    done = cli("train", *OPTIONS, "name=undisturbed")
    assert done.returncode == 0, done.stderr
    (undisturbed,) = all_runs(project.runs())
    assert len(steps_of(undisturbed)) == EPOCHS * STEPS / 5

    generator = random.Random(0)
    moments = sorted(generator.sample(range(1, EPOCHS * STEPS), KILLS))
    victims = generator.sample([0, 1, 0, 1, 1], KILLS)
    command = ["train", *OPTIONS, "name=killed"]
    for moment, victim in zip(moments, victims, strict=True):
        output = home / f"output{moment}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "visionlab", *command], stdout=stream, stderr=subprocess.STDOUT
            )
        run = wait_for_step(moment, process, output)
        time.sleep(generator.uniform(0, 0.05))
        training = ranks(process)
        assert len(training) == 2
        os.kill(training[victim].pid, signal.SIGKILL)
        assert process.wait(30) != 0
        assert psutil.wait_procs(training[1:], timeout=30)[1] == []  # no orphan
        last = journal.last(run.journal_file)
        assert last is not None
        assert last["status"] == "FAILED", output.read_text()
        assert last["tags"]["error.message"].startswith(f"rank {victim} was killed")
        command = ["resume", run.id]
    done = cli(*command)
    assert done.returncode == 0, done.stderr
    assert_same(run, undisturbed)
    assert points_in_mlflow(run) == points_in_journal(run)
    assert stored(run).info.status == "FINISHED"
