"""Confusion matrices side by side, each the sum over repetitions, in percent of the true class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import panels, titled
from visionlab.figures.style import percent
from visionlab.labs.confusion import confusion, recalls
from visionlab.labs.lab import Lab

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 0.05  # shares below are not written out, so that what stands out can be read


def save_confusions(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write a matrix for each label of `panels`; the files."""
    assert config.panels is not None
    shown = []
    for label in lab.labels(config.panels, config.where):
        runs = lab.select(config.where | {config.panels: (label,)})
        found = [counts for counts in map(confusion, runs) if counts is not None]
        if found:
            shown.append((label, np.sum(found, axis=0)))
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    across, down = min(len(shown), 3) or 1, -(-len(shown) // 3) or 1
    with drawing(picture, config.title, 4 * across + 0.3, 4.1 * down + 0.4) as figure:
        every = panels(figure, [titled(config.panels, label) for label, _ in shown]) if shown else []
        for (label, counts), axes in zip(shown, every, strict=True):
            _draw(axes, counts)
            balanced = percent(float(np.nanmean(recalls(counts))))
            axes.set_title(f"{titled(config.panels, label)}: balanced {balanced}")
            rows += [[label, kind, *line] for kind, line in enumerate(counts.tolist())]
    classes = range(len(shown[0][1])) if shown else ()
    return [picture, save_table(folder / f"{config.name}.csv", [config.panels, "true \\ predicted", *classes], rows)]


def _draw(axes: Axes, counts: NDArray[np.int64]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # by the square root, as mistakes of a few percent would else be as good as white
    shades = np.sqrt(shares)
    axes.imshow(shades, vmin=0, vmax=1, cmap="Blues")
    for row, column in zip(*np.nonzero(shares >= LEAST), strict=True):
        colour = "white" if shades[row, column] > 0.6 else "black"
        text = f"{100 * shares[row, column]:.0f}"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set(xticks=range(len(counts)), yticks=range(len(counts)), xlabel="predicted")
    axes.tick_params(length=0, labelbottom=True, labelleft=True)
    axes.spines[:].set_visible(False)
    place = axes.get_subplotspec()
    if place is None or place.is_first_col():
        axes.set_ylabel("true")
