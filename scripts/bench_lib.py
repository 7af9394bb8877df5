"""What the benchmarks share: the ratio of paired measurements with its uncertainty, and how results are printed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 10_000


class Ratio(NamedTuple):
    """A ratio over pairs and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f}  (95 % interval {self.low:.3f} to {self.high:.3f})"


def median_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The median of above[i] / below[i].

    What slows the machine for a while slows both members of a pair, and cancels. The interval is the percentile
    bootstrap over pairs (Efron 1979), seeded.
    """
    ratios = np.divide(above, below)
    drawn = np.random.default_rng(0).choice(ratios, (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def total_ratio(
    above: Sequence[float], below: Sequence[float], above_besides: float = 0.0, below_besides: float = 0.0
) -> Ratio:
    """The sum of one side by the sum of the other, with what comes once besides the pairs.

    Here what happens in a few of the pairs counts as much as it takes, where a median leaves it out. The interval is
    the percentile bootstrap over pairs, seeded.
    """
    sides = np.array([above, below])
    besides = np.array([[above_besides], [below_besides]])
    drawn = np.random.default_rng(0).integers(sides.shape[1], size=(RESAMPLES, sides.shape[1]))
    upper, lower = sides[:, drawn].sum(axis=2) + besides
    low, high = np.quantile(upper / lower, [0.025, 0.975])
    total = sides.sum(axis=1) + besides[:, 0]
    return Ratio(float(total[0] / total[1]), float(low), float(high))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under headings: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for first, *rest in (headings, *rows):
        print("  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]))


def spread(values: Sequence[float], digits: int) -> tuple[str, str]:
    """The median, and the least and greatest value, as cells of a table."""
    return f"{np.median(values):.{digits}f}", f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def positive(text: str) -> int:
    """A command-line argument that counts something."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, given {number}")
    return number
