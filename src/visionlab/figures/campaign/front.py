"""What can be had of one objective at what cost in another: the Pareto front (Pareto 1896)."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import metric, value
from visionlab.figures.campaign.axes import SIDES, add_legend, prepare_objective
from visionlab.figures.campaign.numbers import save_children
from visionlab.figures.files import drawing
from visionlab.figures.style import GREY, PALE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NUMBERED = 8  # runs of the front; more numbers would cover each other


def save_front(results: Results, folder: Path) -> list[Path]:
    """Write `front.png`, a panel for each pair of objectives, and `front.csv`; the two files, or none.

    Args:
        folder: created if it is not there.

    Returns:
        Nothing where there is one objective or no run has a result.
    """
    measured = results.measured()
    if len(results.objectives) < 2 or not measured:
        return []
    front = results.front()
    pairs = list(combinations(range(len(results.objectives)), 2))
    picture = folder / "front.png"
    with drawing(picture, _title(results, front), max(4.7 * len(pairs), 6.4), 4.6) as figure:
        for axes, (first, second) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
            # what is measured along with the first objective stands below it
            _panel(axes, results, front, across=second, up=first)
        add_legend(figure)
    on_front = [int(child in front) for child in measured]
    return [picture, save_children(folder / "front.csv", results, on_front=on_front)]


def _title(results: Results, front: list[Child]) -> str:
    name = results.objectives[0].metric
    turn = max if results.objectives[0].direction == "maximize" else min
    best = value(name, turn(child.values[0] for child in front))
    if len(front) == 1:
        return f"One run is best in every objective: {metric(name)} {best}"
    worst = value(name, (min if turn is max else max)(child.values[0] for child in front))
    others = " and ".join(metric(objective.metric) for objective in results.objectives[1:])
    return f"{len(front)} of {len(results.measured())} runs trade {metric(name)} ({best} to {worst}) for {others}"


def _panel(axes: Axes, results: Results, front: list[Child], across: int, up: int) -> None:
    others = [child for child in results.measured() if child not in front]
    for place, side in zip((across, up), SIDES, strict=True):
        values = [child.values[place] for child in results.measured()]
        prepare_objective(axes, side, results.objectives[place], values)
    if others:
        x, y = ([child.values[place] for child in others] for place in (across, up))
        axes.plot(x, y, "o", color=PALE, markeredgecolor=GREY, markeredgewidth=0.5, markersize=5, label="other runs")
    chain = sorted(front, key=lambda child: child.values[across])
    x, y = ([child.values[place] for child in chain] for place in (across, up))
    if len(results.objectives) == 2:
        # its corners are what both neighbours are better than
        where = "steps-post" if results.objectives[across].direction == "minimize" else "steps-pre"
        axes.plot(x, y, color=VERMILION, linewidth=1.4, drawstyle=where)
    axes.plot(x, y, "o", color=VERMILION, markersize=6, label="Pareto front")
    if len(front) <= MOST_NUMBERED:
        for place, (child, *point) in enumerate(zip(chain, x, y, strict=True)):
            # neighbours on the front are often close
            offset = (5, 5) if place % 2 else (5, -12)
            axes.annotate(
                f"{child.number:03}", (point[0], point[1]), offset, textcoords="offset points", fontsize=9, color=GREY
            )
