"""All settings of all runs at once: a line for each run across an axis for each setting (Inselberg 1985)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import metric, said, value
from visionlab.figures.campaign.axes import Scale, colouring, jitter, label, scales, ticks_of_objective
from visionlab.figures.campaign.numbers import save_children
from visionlab.figures.files import drawing
from visionlab.figures.style import GREY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 9  # settings that have an axis
FEW = 30  # lines, which are drawn strong
ABSENT = -0.14  # where a run passes the axis of a setting that it lacks
SPREAD = 0.05  # of an axis, that runs with the same name take up
NAMED = 4  # settings in the title


def save_parallel(results: Results, folder: Path) -> list[Path]:
    """Write `parallel.png` and `parallel.csv`, if two runs or more differ in two settings or more; the files, or none.

    A run that lacks a setting, as it is only for some values of another, passes below the axis.

    Args:
        folder: created if it is not there.
    """
    objective, settings, children = results.objectives[0], scales(results), _worst_first(results)
    if len(settings) < 2:
        return []
    shown = settings[:MOST]
    values = [child.values[0] for child in children]
    colours = colouring(objective, values)
    ends, shades = np.asarray(colours.norm(np.array(values))), colours.to_rgba(np.array(values))
    points = np.column_stack([*(_heights(scale, children) for scale in shown), ends])
    picture = folder / "parallel.png"
    with drawing(picture, _title(results, shown), max(7.0, 1.25 * len(shown) + 2.0), 4.6) as figure:
        axes = figure.subplots()
        _lines(axes, points, shades)
        for place, scale in enumerate(shown):
            ticks, texts = scale.ticks()
            _axis(axes, place, scale.shares(np.array(ticks)).tolist(), texts)
            if (points[:, place] == ABSENT).any():
                _write(axes, place, ABSENT, "not used")
        ticks, texts = ticks_of_objective(objective, values)
        _axis(axes, len(shown), np.asarray(colours.norm(np.array(ticks))).tolist(), texts)
        names = [*(scale.name for scale in shown), label(objective)]
        axes.set_xticks(range(len(names)), names, rotation=20, ha="right", rotation_mode="anchor")
        axes.tick_params(axis="x", length=0)
        axes.set(yticks=[], xlim=(-0.5, len(shown) + 0.2), ylim=(min(points.min(), 0) - 0.06, 1.06))
        axes.spines[:].set_visible(False)
    return [picture, save_children(folder / "parallel.csv", results)]


def _title(results: Results, shown: Sequence[Scale]) -> str:
    best, name = results.best, results.objectives[0].metric
    assert best is not None
    settings = said(best.settings, {scale.path: scale.name for scale in shown[:NAMED]})
    return f"Best of {len(results.measured())} runs, {metric(name)} {value(name, best.values[0])}: {settings}"


def _worst_first(results: Results) -> list[Child]:
    """So that the lines of the best runs lie upon the others."""
    less_is_better = results.objectives[0].direction == "minimize"
    return sorted(results.measured(), key=lambda child: child.values[0], reverse=less_is_better)


def _heights(scale: Scale, children: Sequence[Child]) -> np.ndarray:
    """Where lines cross the axis of a setting (n,), from 0 to 1, those of the same name next to each other."""
    heights = scale.shares(scale.places(children))
    if scale.kind == "categorical":
        heights += SPREAD * jitter(children)
    return np.where(np.isnan(heights), ABSENT, heights)


def _lines(axes: Axes, points: np.ndarray, shades: np.ndarray) -> None:
    """
    Args:
        points: (n, axes) heights.
        shades: (n, 4), but for the last line, which is the best.
    """
    from matplotlib.collections import LineCollection

    across = np.arange(points.shape[1])
    widths = [1.4 if len(points) <= FEW else 0.8] * (len(points) - 1) + [3.0]
    segments = [np.column_stack([across, heights]) for heights in points]
    axes.add_collection(LineCollection(segments, colors=[*shades[:-1], VERMILION], linewidths=widths))


def _axis(axes: Axes, place: int, heights: Sequence[float], texts: Sequence[str]) -> None:
    axes.plot([place, place], [0, 1], color=GREY, linewidth=1)
    for height, text in zip(heights, texts, strict=True):
        axes.plot([place - 0.02, place], [height, height], color=GREY, linewidth=1)
        _write(axes, place, height, text)


def _write(axes: Axes, place: int, height: float, text: str) -> None:
    """Left of an axis, in front of the lines."""
    from matplotlib.patheffects import withStroke

    written = axes.annotate(text, (place, height), (-5, 0), textcoords="offset points", ha="right", va="center")
    written.set(fontsize=9, zorder=5, path_effects=[withStroke(linewidth=3, foreground="white")])
