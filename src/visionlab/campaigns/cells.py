"""The runs of a lab: each has a label on some axes, and a number among its repetitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from visionlab.config.lab import Choice, LabConfig, RunsConfig, Settings
from visionlab.config.search import Parameter


@dataclass(frozen=True)
class Cell:
    """One run that is to be.

    Attributes:
        labels: by axis.
        settings: by dotted path or group, those of the repetition among them.
        repetition: from 0, of runs with the same labels.
    """

    labels: dict[str, str]
    settings: Settings
    repetition: int

    def __str__(self) -> str:
        return " ".join([*(f"{axis}={label}" for axis, label in self.labels.items()), f"({self.repetition})"])


def cells_of(lab: LabConfig) -> tuple[Cell, ...]:
    """The runs in the order in which they are carried out: every comparison is there once before any is repeated."""
    found = [cell for runs in lab.runs for cell in _cells(runs, lab)]
    return tuple(sorted(found, key=lambda cell: cell.repetition))


def space_of(cells: Iterable[Cell]) -> dict[str, Parameter]:
    """What the runs differ in: by path all values that there are."""
    values: dict[str, dict[tuple[str, str], Choice]] = {}
    for cell in cells:
        for path, value in cell.settings.items():
            values.setdefault(path, {}).setdefault((type(value).__name__, str(value)), value)
    return {path: Parameter(choices=tuple(options.values())) for path, options in values.items()}


def _cells(runs: RunsConfig, lab: LabConfig) -> Iterator[Cell]:
    axes = [[(axis, label, settings) for label, settings in labels.items()] for axis, labels in runs.axes.items()]
    factor = lab.full_repeats if lab.full else 1
    counts = {path: 1 if lab.tiny else factor * count for path, count in runs.repeats.items()}
    if lab.tiny:
        axes = [axis if len(axis) < 2 else [axis[0], axis[-1]] for axis in axes]
    for chosen in itertools.product(*axes):
        labels = {axis: label for axis, label, _ in chosen}
        settings = dict(runs.settings)
        for _, _, added in chosen:
            settings |= added
        for repetition, numbers in enumerate(itertools.product(*map(range, counts.values()))):
            yield Cell(labels, settings | dict(zip(counts, numbers, strict=True)), repetition)
