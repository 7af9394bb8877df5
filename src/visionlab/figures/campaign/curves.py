"""The course of all runs over the epochs, those that were ended early too."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from visionlab.campaigns.results import Child, Results, State
from visionlab.campaigns.words import capital, metric, run, value
from visionlab.figures.campaign.axes import add_legend, prepare_count, prepare_objective
from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import GREY, ORANGE, SKY, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# the ones drawn later lie upon the others
LOOKS: dict[State, dict[str, Any]] = {
    "failed": {"color": "black", "linestyle": ":", "label": "failed or stopped"},
    "interrupted": {"color": "black", "linestyle": ":", "label": "failed or stopped"},
    "finished": {"color": SKY, "label": "finished"},
    "running": {"color": GREY, "linestyle": "--", "label": "running"},
    "pruned": {"color": ORANGE, "label": "pruned"},
}
MANY = 30  # curves, from which on they are thinner


def save_curves(results: Results, folder: Path) -> list[Path]:
    """Write `curves.png` and `curves.csv`, if the runs were followed over their epochs; the two files, or none.

    Args:
        folder: created if it is not there.
    """
    followed = [child for child in results.children if _points(child)]
    if not followed:
        return []
    values = [point[1] for child in followed for point in _points(child)]
    width = 1.4 if len(followed) < MANY else 0.8
    picture = folder / "curves.png"
    with drawing(picture, _title(results, followed), 7, 4.4) as figure:
        axes = figure.subplots()
        prepare_objective(axes, "y", results.objectives[0], values)
        for state, looks in LOOKS.items():
            for child in followed:
                if child.state == state:
                    _curve(axes, child, **looks, linewidth=width)
        best = _best(results)
        if best is not None and best in followed:
            _curve(axes, best, color=VERMILION, linewidth=2.4, label="best")
        prepare_count(axes, "epoch")
        add_legend(figure)
    rows = ([child.number, child.state, *point] for child in followed for point in child.curve)
    return [picture, save_table(folder / "curves.csv", ["number", "state", "epoch", "value"], rows)]


def _title(results: Results, followed: list[Child]) -> str:
    name, best = results.objectives[0].metric, _best(results)
    pruned = [child for child in followed if child.state == "pruned"]
    measured = [child.values[0] for child in results.measured()]
    if best is not None:
        said = f"Best: {run(best)}, {metric(name)} {value(name, best.values[0])}"
    elif measured:
        ends = f"{value(name, min(measured))} to {value(name, max(measured))}"
        said = f"The best epochs of {len(measured)} runs reach {ends}"
    else:
        said = f"{capital(metric(name))}: no run has finished yet"
    if not pruned:
        return said
    middle = math.floor(median(_points(child)[-1][0] for child in pruned))
    when = f"half of these by epoch {middle}" if len(pruned) > 1 else f"at epoch {middle}"
    return f"{said}; {len(pruned)} of {len(followed)} pruned, {when}"


def _best(results: Results) -> Child | None:
    """Folds and seeds have none that counts as such."""
    return results.best if results.kind in ("tune", "grid") else None


def _points(child: Child) -> list[tuple[int, float]]:
    """What of a curve can be drawn."""
    return [point for point in child.curve if math.isfinite(point[1])]


def _curve(axes: Axes, child: Child, **looks: Any) -> None:
    points = _points(child)
    epochs, values = zip(*points, strict=True)
    # one that was ended early has a mark where it ends, and so has one of a single point, which is no line
    mark = "v" if child.state == "pruned" else "o" if len(points) == 1 else None
    axes.plot(epochs, values, marker=mark, markevery=[-1], markersize=5, **looks)
