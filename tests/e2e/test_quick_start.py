"""Bare `visionlab train`: CIFAR-10 where it can be had, else, loudly, the digits; an explicit choice is strict."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from visionlab import project
from visionlab.tracking.catalog import all_runs

Cli = Callable[..., subprocess.CompletedProcess[str]]

NOWHERE = "data.urls=[http://127.0.0.1:9/cifar-10-python.tar.gz]"
QUICK = ["trainer.max_epochs=1", "tracking=off"]


@pytest.mark.slow
def test_without_cifar10_the_first_run_trains_on_the_digits_and_says_so(cli: Cli) -> None:
    done = cli("train", NOWHERE, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "CIFAR-10 IS NOT HERE" in done.stdout
    assert "VISIONLAB_DATA" in done.stdout
    assert f"left out, as the digits have no such setting: {NOWHERE}" in done.stdout
    (run,) = all_runs(project.runs())
    assert run.start()["params"]["data.name"] == "digits"
    assert run.start()["params"]["trainer.max_epochs"] == 1
    assert run.status() == "FINISHED"


@pytest.mark.slow
def test_an_explicit_experiment_fails_instead_and_leaves_no_run(cli: Cli) -> None:
    started = time.monotonic()
    done = cli("train", "experiment=cifar10_cnn", NOWHERE, *QUICK)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "VISIONLAB_DATA" in done.stderr
    assert all_runs(project.runs()) == []
    assert time.monotonic() - started < 60
