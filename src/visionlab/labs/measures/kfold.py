"""Estimates of an accuracy: of one split each, or the mean over the folds of one division into folds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained


def _estimates(runs: Sequence[Trained]) -> list[float]:
    """One for each run without folds, and one for each division into folds (that of a split seed)."""
    single: list[float] = []
    folds: dict[tuple[int, int], list[float]] = {}
    for run in runs:
        accuracy = run.at_best("accuracy")
        if accuracy is None:
            continue
        data = run.config.data
        if data.folds is None:
            single.append(accuracy)
        else:
            folds.setdefault((data.folds, data.split_seed // _together(run)), []).append(accuracy)
    return [*single, *map(fmean, folds.values())]


def _together(run: Trained) -> int:
    """How many divisions an estimate is the mean over, as the label on the axis `method` says."""
    label = run.cell.labels.get("method", "")
    return int(label.split()[0]) if label[:1].isdigit() else 1


def _deviations(runs: Sequence[Trained]) -> list[float]:
    found = _estimates(runs)
    mean = fmean(found) if found else 0.0
    return [abs(one - mean) for one in found]


MEASURES = {
    "estimate": Measure("estimate of the accuracy", lambda run: run.at_best("accuracy"), "share", over=_estimates),
    "deviation": Measure("distance of an estimate from their mean", lambda run: None, "share", over=_deviations),
}
