"""Two averages over the same classes: weighted as they are in training, and each class equally."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, panels, prepare, titled
from visionlab.figures.style import BLUE, PALE
from visionlab.labs.lab import Lab, values
from visionlab.labs.measures import MEASURES

SHOWN = {"long_tailed_accuracy": PALE, "balanced_accuracy": BLUE}


def save_averages(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write both for each label of `x`, a panel for each label of `panels`; the files."""
    assert config.x is not None
    assert config.panels is not None
    names = lab.labels(config.panels, config.where)
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, 3.6 * min(len(names), 3) + 0.5, 4.6) as figure:
        for name, axes in zip(names, panels(figure, [titled(config.panels, name) for name in names]), strict=True):
            ticks = lab.labels(config.x, config.where | {config.panels: (name,)})
            for number, (what, colour) in enumerate(SHOWN.items()):
                for place, tick in enumerate(ticks):
                    runs = lab.select(config.where | {config.panels: (name,), config.x: (tick,)})
                    mean = float(np.mean(values(what, runs)))
                    words = MEASURES[what].words
                    at = place + 0.4 * (number - 0.5)
                    axes.bar(at, mean, 0.38, color=colour, edgecolor="black", linewidth=0.6, label=words)
                    axes.text(at, mean + 0.01, f"{100 * mean:.0f}", ha="center", fontsize=8)
                    rows.append([name, tick, words, mean])
            prepare(axes, "share right", "share")
            axes.set_ylim(0, 1.08)
            axes.set_xticks(range(len(ticks)), ticks, rotation=35, ha="right", rotation_mode="anchor", fontsize=10)
        legend(figure, "of the same networks")
    return [picture, save_table(folder / f"{config.name}.csv", [config.panels, config.x, "average", "mean"], rows)]
