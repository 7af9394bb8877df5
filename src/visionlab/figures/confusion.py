"""The confusion matrix as a picture and as CSV."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from visionlab.figures.style import style

MOST_NUMBERED = 20  # with more classes the numbers in the cells would overlap


def save_confusion(confusion: list[list[int]], classes: list[str], folder: Path) -> list[Path]:
    """Write `confusion_matrix.png` and `confusion_matrix.csv`.

    Args:
        confusion: (K, K) counts, rows are true classes.
        classes: K names.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = np.asarray(confusion)
    picture, table = folder / "confusion_matrix.png", folder / "confusion_matrix.csv"
    _draw(counts, classes, picture)
    part = table.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["true \\ predicted", *classes])
        writer.writerows([name, *row] for name, row in zip(classes, counts.tolist(), strict=True))
    part.replace(table)
    return [picture, table]


def _draw(counts: np.ndarray, classes: list[str], file: Path) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    accuracy = np.trace(counts) / max(counts.sum(), 1)
    side = max(4.2, 0.62 * min(len(classes), MOST_NUMBERED) + 1.6)
    with style() as plt:
        figure, axes = plt.subplots(1, 2, figsize=(2 * side + 0.8, side + 0.5), layout="constrained")
        top = max(float(counts.max()), 1.0)
        numbers = np.vectorize(lambda n: f"{n:,}")(counts)
        percents = np.vectorize(lambda share: f"{100 * share:.0f}" if 0 < share < 0.995 else f"{share:.0%}"[:-1])(
            shares
        )
        _panel(axes[0], counts / top, numbers, classes, f"{np.trace(counts):,} of {counts.sum():,} right")
        _panel(axes[1], shares, percents, classes, f"accuracy {accuracy:.1%}; each row in %")
        part = file.with_name(f".{file.stem}.{os.getpid()}.png")
        figure.savefig(part, bbox_inches="tight")
    part.replace(file)


def _panel(axes: object, shades: np.ndarray, texts: np.ndarray, classes: list[str], title: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    axes.imshow(shades, vmin=0, vmax=1, cmap="Blues")
    axes.set_title(title)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    step = -(-len(classes) // 50)  # a name for every class, up to 50
    ticks = range(0, len(classes), step)
    names = [classes[i] if len(classes[i]) <= 14 else classes[i][:13] + "…" for i in ticks]
    short = len(classes) * max(len(name) for name in names) <= 45  # they fit side by side
    axes.set_xticks(
        ticks, names, rotation=0 if short else 45, ha="center" if short else "right", rotation_mode="anchor"
    )
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0, labelsize=10 if len(classes) <= MOST_NUMBERED else 7)
    axes.spines[:].set_visible(False)
    if len(classes) > MOST_NUMBERED:
        return
    size = 10 if len(classes) <= 12 else 8
    for (row, column), text in np.ndenumerate(texts):
        if text != "0":
            colour = "white" if shades[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=size)
