"""What the parts of bench_transfer.py share: a run in a process and a place of its own, and its curve over time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from visionlab import project
from visionlab.tracking import journal
from visionlab.tracking.run import Run


@dataclass(frozen=True)
class Course:
    """How a run went.

    Attributes:
        seconds: from its start, with its data at hand, to the end of each validation; features are computed within.
        validation: accuracy at these moments.
        test: accuracy.
    """

    seconds: list[float]
    validation: list[float]
    test: float


def train(words: list[str], home: Path) -> Course:
    """Train by the command, with nothing left of earlier runs; features have to be computed anew.

    Args:
        words: of `visionlab train`.
        home: a folder of its own.

    Raises:
        SystemExit: the run failed; it has said why.
    """
    data = home / "data"
    data.mkdir(parents=True)
    for entry in project.data().iterdir():
        if not entry.name.startswith("."):  # what was computed from the data is there
            (data / entry.name).symlink_to(entry.resolve())
    places = {"VISIONLAB_HOME": str(home), "VISIONLAB_DATA": str(data)}
    print()
    print(f"visionlab train {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "visionlab", "train", *words, "tracking.figures=false"]
    if subprocess.run(command, env=os.environ | places, check=False).returncode:
        sys.exit(1)
    (folder,) = (home / "runs").glob("*/report.json")
    return _course(Run(folder.parent))


def _course(run: Run) -> Course:
    records, _ = journal.read(run.journal_file)
    start = next(record["time"] for record in records if record["kind"] == "start")
    points = [
        ((record["time"] - start) / 1000, record["values"]["val/accuracy"])
        for record in records
        if record["kind"] == "metrics" and "val/accuracy" in record["values"]
    ]
    return Course([second for second, _ in points], [share for _, share in points], run.report()["test"]["accuracy"])
