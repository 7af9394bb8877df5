"""Estimates of an accuracy: of one split each, or the mean over the folds of one division into folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained


def _estimates(runs: Sequence[Trained], together: int = 1) -> list[float]:
    """One for each run without folds, and one for so many divisions into folds, those of successive split seeds."""
    single: list[float] = []
    folds: dict[tuple[int, int], list[float]] = {}
    for run in runs:
        accuracy, data = run.at_best("accuracy"), run.config.data
        if accuracy is None:
            continue
        if data.folds is None:
            single.append(accuracy)
        else:
            folds.setdefault((data.folds, data.split_seed // together), []).append(accuracy)
    return [*single, *map(fmean, folds.values())]


def _deviations(runs: Sequence[Trained], together: int = 1) -> list[float]:
    """How far each is from the mean of all.

    That mean is nearer to each of few estimates than what they estimate: their variance about it is 1 - 1/n times the
    true one, which is made up for, as kinds with different n are compared.
    """
    found = _estimates(runs, together)
    larger = math.sqrt(len(found) / (len(found) - 1)) if len(found) > 1 else math.nan
    return [larger * abs(one - fmean(found)) for one in found]


MEASURES = {
    "estimate": Measure("estimate of the accuracy", form="share", over=_estimates),
    "deviation": Measure("distance of an estimate from their mean", form="share", over=_deviations),
    "repeated_deviation": Measure(
        "the same of the mean over two divisions", form="share", over=lambda runs: _deviations(runs, together=2)
    ),
}
