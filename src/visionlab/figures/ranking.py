"""Each class against the rest as the threshold on its probability moves: what ROC and precision-recall share.

The curves and their areas are exact: there is a point for every different probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from visionlab.figures.style import BLUE, GREEN, ORANGE, PALE, PURPLE, SKY, VERMILION, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[np.ndarray, np.ndarray]  # x and y, (P,) each

POINTS = 500  # of a class in a table
POINTS_OF_ALL = 20_000
# the looks of the classes that are labelled: the worst, beginning with the very worst, and likewise the best
WORST = ((VERMILION, "-"), (ORANGE, "--"), (PURPLE, "-."))
BEST = ((GREEN, "-"), (SKY, "--"))


@dataclass(frozen=True)
class Curve:
    """One class against the rest.

    Attributes:
        name: of the class.
        area: under the curve, over all thresholds; NaN where it is not defined, and then there are no points.
        x, y: (P,), x rising.
        thresholds: (P,), what a probability has to reach for the point.
    """

    name: str
    area: float
    x: np.ndarray
    y: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def undefined(cls, name: str) -> Curve:
        """The curve of a class that has none."""
        return cls(name, float("nan"), np.empty(0), np.empty(0), np.empty(0))

    @property
    def defined(self) -> bool:
        return bool(np.isfinite(self.area))


def positive_label(classes: Sequence[str], name: str | None) -> int | None:
    """The label whose curve and rates stand for both of two classes; None where there are not two.

    Args:
        name: of the positive class, or None for the second one.
    """
    if len(classes) != 2:
        return None
    return 1 if name is None else list(classes).index(name)


def hits_and_alarms(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is counted at each threshold, from the highest to the lowest.

    Args:
        scores: (N,) probabilities of the class.
        positive: (N,) bool, whether the image is of the class.

    Returns:
        The different scores (P,), falling, and how many images of the class (P,) and of the rest (P,) reach them.
    """
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    ends = np.flatnonzero(np.diff(scores, append=-np.inf))  # equal scores move together
    hits = np.cumsum(positive, dtype=np.int64)[ends]
    return scores[ends], hits, ends + 1 - hits


def mean_area(curves: Sequence[Curve]) -> float:
    """The mean over the classes whose curve is defined; NaN if none is."""
    areas = [curve.area for curve in curves if curve.defined]
    return float(np.mean(areas)) if areas else float("nan")


def rows(curves: Sequence[Curve]) -> Iterator[tuple[str, ...]]:
    """Of each class name, area, threshold, x and y, thinned evenly along the curve; the area is that of all points."""
    most = max(min(POINTS, POINTS_OF_ALL // max(len(curves), 1)), 2)
    for curve in curves:
        if not curve.defined:
            yield curve.name, "", "", "", ""
            continue
        kept = _thinned(curve.x, curve.y, most)
        for points in zip(curve.thresholds[kept], curve.x[kept], curve.y[kept], strict=True):
            yield (curve.name, f"{curve.area:.6f}", *(f"{value:.6g}" for value in points))


def headline(what: str, curves: Sequence[Curve]) -> str:
    """What the curves of several classes say, at least one of which is defined."""
    worst = min((curve for curve in curves if curve.defined), key=lambda curve: curve.area)
    lowest = f", lowest for “{shorten(worst.name, 24)}”, {worst.area:.4f}" if worst.area < 0.99995 else ""
    return f"{what} {mean_area(curves):.4f}{lowest}"


def draw(figure: Figure, curves: Sequence[Curve], mean: Points, steps: bool, corner: tuple[int, int]) -> Axes:
    """The mean of all classes, the worst and the best in colours, the others thin; a single curve by itself.

    Args:
        mean: of all classes; not drawn beside a single curve.
        steps: whether y holds back to the x before, instead of changing in a line.
        corner: x and y of the perfect point. Where the curves come near, they are drawn once more from nearby.

    Returns:
        The axes from 0 to 1.
    """
    whole: Axes
    whole, beside = figure.subplots(1, 2, width_ratios=(4.4, 2.6))
    whole.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    _plot(whole, curves, mean, steps)
    handles, labels = whole.get_legend_handles_labels()
    beside.axis("off")
    beside.legend(handles, labels, loc="upper left", borderpad=0, fontsize=10, title="area under", alignment="left")
    side = _near(mean if len(curves) > 1 else (curves[0].x, curves[0].y), corner)
    if side is not None:
        near = beside.inset_axes((0.2, 0.0, 0.78, 0.46))
        near.set_title("nearer", fontsize=10)
        near.set(xlim=_span(corner[0], side), ylim=_span(corner[1], side))
        near.locator_params(nbins=4)
        near.tick_params(labelsize=9)
        _plot(near, curves, mean, steps)
    return whole


def _plot(axes: Axes, curves: Sequence[Curve], mean: Points, steps: bool) -> None:
    drawn = "steps-pre" if steps else "default"
    ranked = sorted((curve for curve in curves if curve.defined), key=lambda curve: curve.area)
    worst = ranked[: len(WORST)]
    best = ranked[len(WORST) :][: -len(BEST) - 1 : -1]
    for curve in ranked[len(worst) : len(ranked) - len(best)]:
        axes.plot(curve.x, curve.y, color=PALE, linewidth=0.7, drawstyle=drawn)
    if len(curves) == 1:
        worst, best, mean = [], [], (ranked[0].x, ranked[0].y)
    name = shorten(curves[0].name, 20) if len(curves) == 1 else "mean of classes"
    axes.plot(*mean, color=BLUE, linewidth=2.2, drawstyle=drawn, label=f"{mean_area(ranked):.4f}  {name}")
    looks = [*zip(worst, WORST, strict=False), *zip(reversed(best), reversed(BEST[: len(best)]), strict=False)]
    for curve, (colour, dashes) in looks:
        label = f"{curve.area:.4f}  {shorten(curve.name, 20)}"
        axes.plot(curve.x, curve.y, color=colour, linestyle=dashes, linewidth=1.3, drawstyle=drawn, label=label)


def _near(curve: Points, corner: tuple[int, int]) -> float | None:
    """The side of the square at the corner that shows how near the curve comes; None where it stays far."""
    distance = float(np.maximum(abs(curve[0] - corner[0]), abs(curve[1] - corner[1])).min())
    return next((side for side in (0.02, 0.05, 0.1, 0.2, 0.4) if side >= 3 * distance), None)


def _span(corner: int, side: float) -> tuple[float, float]:
    return (corner - side, corner + side / 20) if corner else (-side / 20, side)


def _thinned(x: np.ndarray, y: np.ndarray, most: int) -> np.ndarray:
    """The indices of at most so many points, evenly along the curve, with both its ends."""
    if len(x) <= most:
        return np.arange(len(x))
    along = np.append(0, np.cumsum(abs(np.diff(x)) + abs(np.diff(y))))
    evenly = np.searchsorted(along, np.linspace(0, along[-1], most - 1))
    kept: np.ndarray = np.unique(np.append(evenly, len(x) - 1))
    return kept
