"""`visionlab report RUN`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.figures.made import make_run
from visionlab.commands import report
from visionlab.errors import UserError
from visionlab.tracking.run import SILENCE_SECONDS


def test_the_page_of_a_stopped_run_is_made_without_torch() -> None:
    run = make_run(status="KILLED")
    code = (
        "import argparse, sys; from visionlab.commands import report; "
        "report.run(argparse.Namespace(run='last')); assert not {'torch', 'mlflow', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(run.path / "report.html")
    assert "data:image/png" in (run.path / "report.html").read_text(encoding="utf-8")
    assert (run.figures / "roc.png").exists()


def test_pictures_of_a_finished_run_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    report.run(argparse.Namespace(run=run.id[:4]))
    assert Path(capsys.readouterr().out.strip()) == run.path / "report.html"
    before = {file: file.stat().st_mtime_ns for file in run.figures.iterdir()}
    assert before
    report.run(argparse.Namespace(run=run.id))
    assert {file: file.stat().st_mtime_ns for file in run.figures.iterdir()} == before


def test_a_run_whose_process_is_gone_is_said_to_have_stopped() -> None:
    run = make_run(tested=False, status=None)
    long_ago = time.time() - 2 * SILENCE_SECONDS  # the folder may be another machine's
    os.utime(run.journal_file, (long_ago, long_ago))
    report.run(argparse.Namespace(run="last"))
    assert ">stopped<" in (run.path / "report.html").read_text(encoding="utf-8")


def test_an_unknown_run_is_refused() -> None:
    make_run()
    with pytest.raises(UserError, match="expected a run id"):
        report.run(argparse.Namespace(run="zzzz"))
