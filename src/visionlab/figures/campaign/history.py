"""How the runs of a search came out, one after the other, and the best so far."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import metric, run, value
from visionlab.figures.campaign.axes import add_legend, prepare_count, prepare_objective
from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import BLUE, GREY, PALE, VERMILION

HEADINGS = ("number", "state", "value", "best_so_far", "last_epoch", "last_value")
MANY = 60  # runs, from which on the marks are smaller


def save_history(results: Results, folder: Path) -> list[Path]:
    """Write `history.png` and `history.csv`, once a run has a result; the two files, or none.

    Args:
        folder: created if it is not there.
    """
    finished = results.measured()
    if not finished:
        return []
    pruned = [(child.number, last[1]) for child in results.children if (last := _last(child)) is not None]
    failed = [child.number for child in results.children if child.state == "failed" or _is_undefined(child)]
    size = 6 if len(results.children) < MANY else 4
    values = [child.values[0] for child in finished]
    picture = folder / "history.png"
    with drawing(picture, _title(results), 7, 4.2) as figure:
        axes = figure.subplots()
        prepare_objective(axes, "y", results.objectives[0], [*values, *(last for _, last in pruned)])
        numbers = [child.number for child in finished]
        marks: dict[str, Any] = {"linestyle": "", "markersize": size}
        if pruned:
            looks: dict[str, Any] = {"color": PALE, "markeredgecolor": GREY, "label": "pruned: last value"}
            axes.plot(*zip(*pruned, strict=True), marker="v", **marks, **looks)
        axes.plot(numbers, values, marker="o", color=BLUE, label="finished", **marks)
        best = _best_so_far(results)
        axes.step([*best], [*best.values()], where="post", color=VERMILION, linewidth=1.8, label="best so far")
        axes.set_xlim(-0.5, max(child.number for child in results.children) + 0.5)
        if failed:
            looks = {
                "marker": "x",
                "color": "black",
                "transform": axes.get_xaxis_transform(),
                "label": "failed or undefined",
            }
            axes.plot(failed, [0.02] * len(failed), **marks, **looks)
        prepare_count(axes, "run")
        add_legend(figure)
    return [picture, save_table(folder / "history.csv", HEADINGS, _rows(results))]


def _title(results: Results) -> str:
    best, name = results.best, results.objectives[0].metric
    assert best is not None
    since = sum(child.number > best.number for child in results.measured())
    later = f"; the {since} after it were no better" if since > 1 else ""
    return f"Best {metric(name)}: {value(name, best.values[0])}, by {run(best)}{later}"


def _best_so_far(results: Results) -> dict[int, float]:
    """By the number of each run, the best value of all up to it; from the first that has finished on."""
    better = max if results.objectives[0].direction == "maximize" else min
    measured = {child.number for child in results.measured()}
    found: dict[int, float] = {}
    best: float | None = None
    for child in results.children:
        if child.number in measured:
            best = child.values[0] if best is None else better(best, child.values[0])
        if best is not None:
            found[child.number] = best
    return found


def _last(child: Child) -> tuple[int, float] | None:
    """Epoch and value of the last finite point of a pruned run."""
    finite = [point for point in child.curve if math.isfinite(point[1])]
    return finite[-1] if child.state == "pruned" and finite else None


def _is_undefined(child: Child) -> bool:
    return child.state == "finished" and not math.isfinite(child.values[0])


def _rows(results: Results) -> Iterator[list[object]]:
    best = _best_so_far(results)
    for child in results.children:
        came = child.values[0] if child.state == "finished" else ""
        yield [child.number, child.state, came, best.get(child.number, ""), *(_last(child) or ("", ""))]
