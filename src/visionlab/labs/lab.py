"""A lab with the runs that have finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from visionlab import project
from visionlab.campaigns.cells import Cell
from visionlab.campaigns.results import Results
from visionlab.config.lab import LabConfig
from visionlab.labs.measures import MEASURES
from visionlab.labs.trained import Trained
from visionlab.tracking.run import Run

Labels = dict[str, str]


@dataclass(frozen=True)
class Lab:
    """What a lab is about, and what it has.

    Attributes:
        config: its file.
        runs: those that have finished on this machine, in the order of their cells.
        total: how many there are to be.
    """

    config: LabConfig
    runs: tuple[Trained, ...]
    total: int

    @classmethod
    def of(cls, config: LabConfig, cells: Sequence[Cell], results: Results) -> Lab:
        """The lab of a campaign, done or not."""
        finished = sorted(results.finished(), key=lambda child: child.proposal)
        runs = [Trained(Run(project.runs() / child.run), cells[child.proposal]) for child in finished]
        return cls(config, tuple(one for one in runs if one.run.path.exists()), results.total)

    def select(self, where: Mapping[str, Sequence[str]]) -> list[Trained]:
        """The runs with one of the labels that are wanted on each axis that is named."""
        return [one for one in self.runs if all(one.cell.labels.get(axis) in wanted for axis, wanted in where.items())]

    def labels(self, axis: str, where: Mapping[str, Sequence[str]] | None = None) -> list[str]:
        """The labels that runs have on an axis, in the order of the lab's file."""
        found = {one.cell.labels[axis] for one in self.select(where or {}) if axis in one.cell.labels}
        order = (label for runs in self.config.runs for label in runs.axes.get(axis, {}))
        return [label for label in dict.fromkeys(order) if label in found]

    def groups(self) -> Iterator[tuple[Labels, list[Trained]]]:
        """The runs that differ in nothing but their repetition, in the order of the lab's file."""
        found: dict[tuple[tuple[str, str], ...], list[Trained]] = {}
        for one in self.runs:
            found.setdefault(tuple(one.cell.labels.items()), []).append(one)
        for labels, runs in found.items():
            yield dict(labels), runs


def values(measure: str, runs: Sequence[Trained]) -> list[float]:
    """What some runs have measured; NaN for those that have not."""
    return MEASURES[measure].values(runs)
