"""Several runs in one picture: their curves over each other, and how their confusion matrices differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionlab.figures.files import drawing
from visionlab.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from visionlab.comparison.curves import Course, Curve
    from visionlab.comparison.mcnemar import Changes

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "black", GREY)
MOST_MATRICES = 3
MOST_NUMBERED = 12  # with more classes the numbers in the cells would overlap
MOST_NAMED = 30
LEVEL = 0.05
CLOSEST = 0.065  # of an axis' height, between two labels
CURVES = 4.0  # inches: the height of curves that are abreast, the width of those one above the other
NOTE = (
    "Better: orange on the diagonal, violet elsewhere.\n"
    "Framed: more than chance (McNemar's test in each cell, Holm-adjusted)."
)


def save_comparison(
    title: str,
    names: Sequence[str],
    course: Course,
    classes: Sequence[str],
    changes: Sequence[tuple[str, Changes]],
    file: Path,
) -> Path:
    """Draw the picture; the file.

    Args:
        names: of the runs, in the order of the curves; each begins with its letter.
        classes: K names.
        changes: with the title of each, the differences to the first run's confusion matrix; three are drawn.
    """
    shown = changes[:MOST_MATRICES]
    side = max(4.4, 0.42 * min(len(classes), MOST_NUMBERED) + 1.2)
    if not shown:
        with drawing(file, title, 11.0, CURVES) as figure:
            _course(figure, course, names, abreast=True)
    elif len(shown) == 1:
        with drawing(file, title, CURVES + side + 1.4, side + 1.6) as figure:
            parts: Any = figure.subfigures(1, 2, width_ratios=(CURVES, side + 1.4))
            _course(parts[0], course, names, abreast=False)
            _matrices(parts[1], classes, shown)
    else:
        with drawing(file, title, side * len(shown) + 1, CURVES + side + 1.0) as figure:
            parts = figure.subfigures(2, 1, height_ratios=(CURVES, side + 1.0))
            _course(parts[0], course, names, abreast=True)
            _matrices(parts[1], classes, shown)
    return file


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights from 0 to 1 moved apart, in their order and about where they were, until none are closer than `gap`."""
    order = np.argsort(heights, kind="stable")
    moved = np.array(heights, dtype=float)[order]
    for _ in range(100):
        close = np.flatnonzero(np.diff(moved) < gap - 1e-6)
        for lower in close:
            middle = moved[lower : lower + 2].mean()
            moved[lower : lower + 2] = min(moved[lower], middle - gap / 2), max(moved[lower + 1], middle + gap / 2)
    if len(moved):
        moved += min(1 - moved[-1], 0) + max(0 - moved[0], 0)
    placed = np.empty_like(moved)
    placed[order] = moved
    return [float(height) for height in placed]


def _course(figure: Figure | SubFigure, course: Course, names: Sequence[str], abreast: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    panels = figure.subplots(*((1, 2) if abreast else (2, 1)))
    for axes, (measure, curves) in zip(panels, course.curves.items(), strict=True):
        _curves(axes, curves, [name.partition(" ")[0] for name in names])
        axes.set_title(f"{course.split} {measure}")
        axes.set_xlabel(course.unit)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    lines = [Line2D([], [], color=colour, linewidth=2) for colour, _ in zip(COLOURS, names, strict=False)]
    texts = [shorten(name, 32) for name in names]
    figure.legend(lines, texts, loc="outside upper left", ncols=min(len(names), 4) if abreast else 1)


def _curves(axes: Axes, curves: Sequence[Curve], letters: Sequence[str]) -> None:
    """Lines with their letters at their ends."""
    ends: dict[float, list[tuple[float, str, str]]] = {}
    for curve, colour, letter in zip(curves, COLOURS, letters, strict=False):
        if curve.x:
            axes.plot(curve.x, curve.y, color=colour, linewidth=1.8, marker="o" if len(curve.x) == 1 else None)
            if np.isfinite(curve.y[-1]):
                ends.setdefault(curve.x[-1], []).append((curve.y[-1], letter, colour))
    bottom, top = axes.get_ylim()
    for x, beside in ends.items():
        heights = spread([(y - bottom) / (top - bottom) for y, _, _ in beside], CLOSEST)
        for (_, letter, colour), height in zip(beside, heights, strict=True):
            place = (x, bottom + height * (top - bottom))
            text = axes.annotate(letter, place, (5, 0), textcoords="offset points", va="center", color=colour)
            text.set_fontweight("bold")
            text.set_annotation_clip(False)
    axes.set_ylim(bottom, top)


def _matrices(figure: SubFigure, classes: Sequence[str], changes: Sequence[tuple[str, Changes]]) -> None:
    """The differences side by side on one scale, symmetrical about no difference."""
    differences = [100 * (change.second - change.first) for _, change in changes]
    most = max(1.0, *(float(np.abs(difference).max()) for difference in differences))
    panels = figure.subplots(1, len(changes), squeeze=False)[0]
    for axes, difference, (title, change) in zip(panels, differences, changes, strict=True):
        image = axes.imshow(difference, vmin=-most, vmax=most, cmap="PuOr_r")
        axes.set_title(title)
        _name_ticks(axes, classes)
        for row, column in np.argwhere(change.p < LEVEL):
            _frame(axes, int(row), int(column))
        if len(classes) <= MOST_NUMBERED:
            _number(axes, difference, most)
    bar = figure.colorbar(image, ax=panels, shrink=0.8, pad=0.02, anchor=(0.0, 1.0), panchor=(0.0, 1.0))
    bar.set_label("points of each true class")
    bar.outline.set_visible(False)  # type: ignore[operator]
    figure.suptitle(NOTE, fontsize=9, fontweight="normal", x=0.01, ha="left")


def _name_ticks(axes: Axes, classes: Sequence[str]) -> None:
    step = -(-len(classes) // MOST_NAMED)
    ticks = range(0, len(classes), step)
    names = [shorten(classes[label], 12) for label in ticks]
    upright = sum(map(len, names)) > 30  # side by side they would overlap
    axes.set_xticks(ticks, names, rotation=90 if upright else 0)
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0, labelsize=9 if len(classes) <= MOST_NUMBERED else 7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)


def _frame(axes: Axes, row: int, column: int) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((column - 0.47, row - 0.47), 0.94, 0.94, fill=False, edgecolor="black", linewidth=1.6))


def _number(axes: Axes, difference: np.ndarray, most: float) -> None:
    size = 11 if len(difference) <= 5 else 7.5
    for (row, column), value in np.ndenumerate(difference):
        text = f"{value:+.1f}" if abs(value) < 9.95 else f"{value:+.0f}"
        if text not in ("+0.0", "-0.0"):
            colour = "white" if abs(value) > 0.6 * most else "black"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
