"""The shipping process, beside a run that goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from visionlab.tracking import shipper
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper

MakeRun = Callable[..., Run]


def test_everything_is_sent_while_the_run_goes_on_and_after_it(make_run: MakeRun) -> None:
    run = make_run(points=5, status=None)
    shipping = Shipper(run)
    shipping.start()
    shipping.start()  # a second call starts no second process
    writer = run.journal()
    writer.metrics(5, {"train/loss": 0.1})
    writer.append("status", status="FINISHED")
    assert shipping.finish()

    from visionlab.tracking.mlflow import shipped

    assert shipped(run)["offset"] == run.journal_file.stat().st_size
    assert (run.path / "shipper.log").read_text().count("Error") == 0


def test_a_server_that_is_not_there_ends_the_run_no_later_than_patience(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "PATIENCE_SECONDS", 1.0)
    run = make_run("tracking.uri=http://127.0.0.1:9", points=5)
    assert not Shipper(run).finish()


def test_starting_a_shipper_does_not_import_mlflow_here(make_run: MakeRun) -> None:
    before = "mlflow" in sys.modules
    shipping = Shipper(make_run(status="FINISHED"))
    shipping.start()
    assert ("mlflow" in sys.modules) == before
    assert shipping.finish()


def test_the_shipper_of_a_run_that_was_killed_sends_what_is_there_and_ends(make_run: MakeRun) -> None:
    run = make_run(points=3, status=None)
    ended = subprocess.Popen(["true"])
    ended.wait()
    shipping = [sys.executable, "-m", "visionlab.tracking.shipper", str(run.path), str(ended.pid)]
    assert subprocess.run(shipping, timeout=60, check=False).returncode == 0

    from visionlab.tracking.mlflow import shipped

    assert shipped(run)["offset"] == run.journal_file.stat().st_size
