"""The course of a metric over the steps: the mean over repetitions, and all of them behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionlab.comparison.measures import is_percentage
from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, look, parts, prepare, selection, series, size
from visionlab.labs.lab import Lab
from visionlab.labs.trained import Trained
from visionlab.reports.words import metric as metric_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPLITS = {"train": "training", "val": "validation"}


def save_curves(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write the curves of `measure`, a metric of the journal, in a colour for each label of `by`; the files."""
    metric = config.measure or "val/accuracy"
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, *size(lab, config)) as figure:
        for panel, axes in parts(lab, config, figure):
            for place, label in enumerate(series(lab, config)):
                runs = [run for run in lab.select(selection(config, panel, label)) if metric in run.curves]
                _draw(axes, runs, metric, label, place)
                rows += [
                    [panel, label, run.cell.repetition, step, value]
                    for run in runs
                    for step, value in run.curves[metric]
                ]
            prepare(axes, _words(metric), "share" if is_percentage(metric) else "number", config.log)
            axes.set_xlabel("step")
        legend(figure, config.by)
    headings = [config.panels or "panel", config.by or "by", "repetition", "step", metric]
    return [picture, save_table(folder / f"{config.name}.csv", headings, rows)]


def _draw(axes: Axes, runs: Sequence[Trained], metric: str, label: str, place: int) -> None:
    if not runs:
        return
    looks = look(place)
    single = {**looks, "marker": None, "linewidth": 0.7, "alpha": 0.35}
    curves = [dict(run.curves[metric]) for run in runs]
    for curve in curves:
        axes.plot([*curve], [*curve.values()], **single)
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    # the mean of curves that end at different steps would jump where one of them ends
    means = [float(np.mean([curve[step] for curve in curves])) for step in steps]
    looks["markevery"] = max(1, len(steps) // 8)
    axes.plot(steps, means, linewidth=2, markersize=5, label=label or _words(metric), **looks)


def _words(metric: str) -> str:
    split, _, name = metric.rpartition("/")
    return f"{SPLITS.get(split, split)} {metric_words(name)}".strip()
