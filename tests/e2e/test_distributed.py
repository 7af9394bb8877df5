"""Several processes from the command line: one run, and no image counted twice."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from visionlab import project
from visionlab.tracking.catalog import all_runs

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
