"""Several processes from the command line: one run, and no image counted twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from visionlab import project
from visionlab.tracking.catalog import all_runs
from visionlab.training import checkpoint_file, checkpoints

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
def test_two_processes_make_one_run_and_test_each_image_once(cli: Cli) -> None:
    done = cli(
        "train",
        "experiment=digits",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.max_epochs=1",
        "tracking=off",
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    (run,) = all_runs(project.runs())
    assert run.status() == "FINISHED"
    assert sum(map(sum, run.report()["confusion"])) == 359
    assert "sync_dist" not in done.stderr


@pytest.mark.slow
def test_two_processes_that_are_told_to_stop_save_together_and_go_on_as_if_nothing_had_happened(cli: Cli) -> None:
    options = [
        "experiment=digits",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "trainer.max_epochs=40",
        "model.dropout=0.2",
        "tracking=off",
        "tracking.figures=false",
    ]
    done = cli("train", *options, "name=undisturbed", timeout=240)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "visionlab", "train", *options, "name=stopped"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch  3/40"):
            process.terminate()
            break
    said = process.stdout.read()
    assert process.wait(20) == 128 + signal.SIGTERM, said
    undisturbed, stopped = all_runs(project.runs())
    assert stopped.status() == "KILLED"
    start, _ = checkpoints.newest(stopped.checkpoints)
    assert start is not None
    assert 0 < start.epochs < 40
    done = cli("resume", stopped.id, timeout=240)
    assert done.returncode == 0, done.stderr
    assert stopped.status() == "FINISHED"
    assert stopped.report()["test"] == undisturbed.report()["test"]
    ours, theirs = (checkpoint_file.read(run.checkpoints / "last.ckpt")["state_dict"] for run in (stopped, undisturbed))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_no_process_looks_for_a_checkpoint_before_it_has_its_name(tmp_path: Path) -> None:
    script = tmp_path / "slow_disk.py"
    script.write_text(SLOW_DISK)
    words = "train experiment=digits trainer.accelerator=cpu trainer.devices=2 trainer.max_epochs=1 tracking=off"
    done = subprocess.run([sys.executable, script, *words.split()], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert all_runs(project.runs())[0].status() == "FINISHED"


@pytest.mark.slow
def test_two_processes_whose_steps_are_slow_save_before_they_stop(tmp_path: Path) -> None:
    script = tmp_path / "slow_steps.py"
    script.write_text(SLOW_STEPS)
    words = "train experiment=digits trainer.accelerator=cpu trainer.devices=2 tracking=off tracking.figures=false"
    process = subprocess.Popen([sys.executable, script, *words.split()], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "step 3\n":
            process.terminate()
            break
    process.stdout.read()
    assert process.wait(30) == 128 + signal.SIGTERM
    (run,) = all_runs(project.runs())
    assert run.status() == "KILLED"
    start, _ = checkpoints.newest(run.checkpoints)
    assert start is not None
    assert start.epochs == 0


SLOW_STEPS = """
import sys, time
from visionlab.cli import main
from visionlab.training.callbacks import SeedSteps

begin = SeedSteps.on_train_batch_start

def slowly(self, trainer, *rest):
    print("step", trainer.global_step, flush=True)
    time.sleep(1)
    return begin(self, trainer, *rest)

SeedSteps.on_train_batch_start = slowly
main(sys.argv[1:])
"""

SLOW_DISK = """
import pathlib, sys, time
from visionlab.cli import main

replace = pathlib.Path.replace

def slowly(self, target):
    if self.name == "new.ckpt":
        time.sleep(1.5)
    return replace(self, target)

pathlib.Path.replace = slowly
main(sys.argv[1:])
"""
