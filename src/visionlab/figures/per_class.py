"""The rates of every class as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import GREY, ORANGE, SKY, VERMILION, percent, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_IN_A_COLUMN = 50
MARKS: dict[str, dict[str, Any]] = {
    "precision": {"marker": "D", "color": VERMILION, "markersize": 4.5},
    "recall": {"marker": "o", "color": ORANGE, "markeredgecolor": "black", "markersize": 5},
}


def save_per_class(
    rates: Mapping[str, Sequence[float | None]], images: Sequence[int], classes: Sequence[str], folder: Path
) -> list[Path]:
    """Write `per_class.png`, the worst class at the top, and `per_class.csv`, in the order of the labels.

    Args:
        rates: by name, one number for each class, None where it is not defined; `f1`, `precision` and `recall` are
            drawn.
        images: how many test images there are of each class.
        classes: K names.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    f1 = np.where(np.asarray(images) > 0, np.array(rates["f1"], dtype=float), np.nan)
    order = np.argsort(f1, kind="stable")  # NaN comes last
    picture = folder / "per_class.png"
    columns = -(-len(classes) // MOST_IN_A_COLUMN)
    parts = np.array_split(order, columns)
    with drawing(picture, _title(f1, classes), 7 * columns, max(2.4, 0.27 * len(parts[0]) + 1.3)) as figure:
        for axes, part in zip(figure.subplots(1, columns, squeeze=False)[0], parts, strict=True):
            _bars(axes, part, f1, rates, classes)
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=3, fontsize=10)
    rows = zip(classes, images, *rates.values(), strict=True)
    return [picture, save_table(folder / "per_class.csv", ["class", "images", *rates], rows)]


def _bars(
    axes: Axes,
    shown: np.ndarray,
    f1: np.ndarray,
    rates: Mapping[str, Sequence[float | None]],
    classes: Sequence[str],
) -> None:
    places = range(len(shown))
    axes.barh(places, np.nan_to_num(f1[shown]), color=SKY, label="F1")
    for name, look in MARKS.items():
        values = np.where(np.isnan(f1), np.nan, np.array(rates[name], float))[shown]
        axes.plot(values, places, linestyle="", clip_on=False, label=name, **look)
    for place, value in zip(places, f1[shown], strict=True):
        text = "not in the test set" if np.isnan(value) else percent(value, 0 if value == 1 else 1)
        axes.text(1.02 if np.isfinite(value) else 0.01, place, text, va="center", fontsize=9, color=GREY)
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6))
    axes.set_yticks(places, [shorten(classes[label], 20) for label in shown])
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines["left"].set_visible(False)


def _title(f1: np.ndarray, classes: Sequence[str]) -> str:
    if np.isnan(f1).all():
        return "No class has test images"
    worst, best = int(np.nanargmin(f1)), int(np.nanargmax(f1))
    if f1[worst] == f1[best]:
        return f"All classes alike: F1 {percent(f1[worst])}"
    low, high = (shorten(classes[label], 20) for label in (worst, best))
    return f"Hardest class: “{low}”, F1 {percent(f1[worst])}; easiest: “{high}”, {percent(f1[best])}"
