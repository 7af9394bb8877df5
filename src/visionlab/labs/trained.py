"""A finished run of a lab, as its measures and pictures read it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from visionlab.campaigns.cells import Cell
from visionlab.config.train import TrainConfig
from visionlab.tracking import journal
from visionlab.tracking.run import Run

Point = tuple[int, float]


class Trained:
    """One run.

    Attributes:
        run: its folder.
        cell: its labels and settings.
    """

    def __init__(self, run: Run, cell: Cell) -> None:
        self.run, self.cell = run, cell

    @cached_property
    def config(self) -> TrainConfig:
        return self.run.config()

    @cached_property
    def report(self) -> dict[str, Any]:
        return self.run.report()

    @cached_property
    def curves(self) -> dict[str, list[Point]]:
        """(step, value) of each metric, in the order of the steps."""
        found: dict[str, list[Point]] = {}
        for record in journal.read(self.run.journal_file)[0]:
            if record["kind"] == "metrics":
                for name, value in record["values"].items():
                    found.setdefault(name, []).append((record["step"], float(value)))
        return found

    def last(self, metric: str) -> float | None:
        """The last value of a metric; None where it was never measured."""
        curve = self.curves.get(metric)
        return curve[-1][1] if curve else None

    def at_best(self, metric: str) -> float | None:
        """What validation measured at the epoch that was best by accuracy."""
        value = self.report.get("validation", {}).get(metric)
        return None if value is None else float(value)
