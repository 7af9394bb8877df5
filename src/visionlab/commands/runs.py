"""`visionlab runs`: the last runs with their headline metrics."""

from __future__ import annotations

import argparse
import time

from visionlab import project
from visionlab.tracking.catalog import all_runs, validation_accuracy
from visionlab.tracking.run import Run

HEADINGS = ("run", "started", "status", "data", "model", "val accuracy", "training")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", type=_count, default=20, metavar="COUNT", help="how many of the newest (default 20)")


def run(arguments: argparse.Namespace) -> None:
    runs = all_runs(project.runs())[-arguments.n :]
    if not runs:
        print(f"no run yet in {project.runs()}; `visionlab train` makes one")
        return
    rows = [HEADINGS, *(_row(run) for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        cells = [
            cell.rjust(width) if heading in ("val accuracy", "training") else cell.ljust(width)
            for heading, cell, width in zip(HEADINGS, row, widths, strict=True)
        ]
        print("  ".join(cells).rstrip())


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, given {text!r}")
    return int(text)


def _row(run: Run) -> tuple[str, ...]:
    start = run.start()
    accuracy = validation_accuracy(run)
    seconds = run.report().get("training_seconds")
    return (
        run.id,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(start["time"] / 1000)),
        run.status(),
        start["params"]["data.name"],
        start["params"]["model.name"],
        "" if accuracy is None else f"{accuracy:.2%}",
        "" if seconds is None else f"{seconds:.1f} s",
    )
