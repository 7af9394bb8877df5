"""What a comparison of tested runs comes to, in sentences that claim no more than was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from visionlab.comparison.bootstrap import Interval, paired_bootstrap
from visionlab.comparison.mcnemar import Changes, Discordant, changes, holm, mcnemar
from visionlab.comparison.sides import Side
from visionlab.figures.style import shorten

LEVEL = 0.05
MOST_CELLS = 5
LONGEST_NAME = 24
MANY_IMAGES = 5000  # from here on hundredths of a point mean something


@dataclass(frozen=True)
class Verdict:
    """A run against the first one, on the same test images.

    Attributes:
        intervals: by metric.
        discordant: with a p-value that is adjusted for the number of runs.
        changes: of the confusion matrix.
    """

    first: Side
    second: Side
    intervals: dict[str, Interval]
    discordant: Discordant
    changes: Changes

    @property
    def images(self) -> int:
        assert self.second.predictions is not None
        return len(self.second.predictions.labels)

    @property
    def places(self) -> int:
        """Decimals that mean something in percentage points."""
        return 1 if self.images < MANY_IMAGES else 2


def verdicts(first: Side, others: Sequence[Side]) -> list[Verdict]:
    """Each of the other runs against the first; all of them were tested, on the same images."""
    if not others:
        return []
    known = [side.predictions for side in (first, *others) if side.predictions is not None]
    intervals = paired_bootstrap(known, first.positive)
    tests = [mcnemar(known[0], other) for other in known[1:]]
    adjusted = holm(np.array([test.p for test in tests]))
    return [
        Verdict(first, side, interval, test._replace(p=float(p)), changes(known[0], other))
        for side, interval, test, p, other in zip(others, intervals, tests, adjusted, known[1:], strict=True)
    ]


def headline(verdict: Verdict) -> str:
    """Which run is the better one by accuracy, or that this cannot be said."""
    first, second = verdict.first.letter, verdict.second.letter
    interval, test = verdict.intervals["accuracy"], verdict.discordant
    if test.first == test.second == 0:
        return f"{second} and {first} are right on the same images"
    if test.p >= LEVEL or interval.low <= 0 <= interval.high:
        return f"No clear difference in accuracy between {second} and {first}"
    word = "better" if interval.difference > 0 else "worse"
    return f"{second} is {word} than {first} by {points(abs(interval.difference), verdict.places)} points of accuracy"


def detail(verdict: Verdict) -> str:
    """What the headline rests on."""
    first, second = verdict.first.letter, verdict.second.letter
    interval, test = verdict.intervals["accuracy"], verdict.discordant
    low, high = (points(value, verdict.places, signed=True) for value in (interval.low, interval.high))
    return (
        f"95 % interval {low} to {high}; McNemar {show_p(test.p)}: "
        f"only {first} is right on {test.first:,} images, only {second} on {test.second:,}"
    )


def changed_cells(verdict: Verdict) -> list[str]:
    """What of the confusion matrix differs by more than chance, the clearest first; or that nothing does."""
    _, _, p = verdict.changes
    cells = [(int(row), int(column)) for row, column in np.argwhere(p < LEVEL)]
    if not cells:
        return ["No class and no confusion of two classes differs clearly (McNemar in each cell, Holm-adjusted)."]
    cells.sort(key=lambda cell: p[cell])
    lines = ["Clear differences in the confusion matrix (McNemar in each cell, Holm-adjusted):"]
    lines += [f"  {_cell(verdict, *cell)}" for cell in cells[:MOST_CELLS]]
    if len(cells) > MOST_CELLS:
        lines.append(f"  and {len(cells) - MOST_CELLS} more, framed in the picture")
    return lines


def points(share: float, places: int, signed: bool = False) -> str:
    """A share of one in percentage points."""
    return f"{100 * share:+.{places}f}" if signed else f"{100 * share:.{places}f}"


def show_p(p: float) -> str:
    """A p-value with as many digits as it deserves."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _cell(verdict: Verdict, row: int, column: int) -> str:
    shares = [f"{part[row, column]:.1%}" for part in verdict.changes[:2]]
    true, predicted = (shorten(verdict.first.classes[label], LONGEST_NAME) for label in (row, column))
    how = "recognised" if row == column else f"taken for {predicted}"
    letters = verdict.first.letter, verdict.second.letter
    chance = show_p(float(verdict.changes.p[row, column]))
    return f"{true} {how}: {letters[0]} {shares[0]}, {letters[1]} {shares[1]} ({chance})"
