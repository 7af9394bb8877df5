"""How runs came to their results, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from visionlab.tracking import journal
from visionlab.tracking.run import Run

MEASURES = ("accuracy", "loss")


class Curve(NamedTuple):
    """A metric over the course of a run; (N,) each."""

    x: list[float]
    y: list[float]


class Course(NamedTuple):
    """The curves of several runs.

    Attributes:
        split: of which images, in words.
        unit: what x counts.
        curves: by measure, one for each run; without points where a run has none.
    """

    split: str
    unit: str
    curves: dict[str, list[Curve]]


def course(runs: Sequence[Run]) -> Course:
    """The curves on the validation images; on the training images where no run has validated."""
    records = [[record for record in journal.read(run.journal_file)[0] if record["kind"] == "metrics"] for run in runs]
    validated = any("val/accuracy" in record["values"] for part in records for record in part)
    prefix = "val" if validated else "train"
    curves = {}
    for measure in MEASURES:
        name = f"{prefix}/{measure}"
        found = [[record for record in part if name in record["values"]] for part in records]
        curves[measure] = [
            Curve(
                [record["values"].get("epoch", record["step"]) for record in part],
                [record["values"][name] for record in part],
            )
            for part in found
        ]
    return Course("validation", "epoch", curves) if validated else Course("training", "step", curves)
