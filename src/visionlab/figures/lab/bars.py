"""A measure of each label: bars of the mean over repetitions, with every one of them as a dot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from visionlab.config.lab import FigureConfig
from visionlab.figures.campaign.axes import write_ticks
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import COLOURS, legend, prepare, selection, series
from visionlab.labs.lab import Lab, values
from visionlab.labs.measures import MEASURES

GROUP = 0.8  # of the distance from one label of x to the next that its bars take up


def save_bars(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write `measure` in bars, a group for each label of `x` and in it one for each of `by`; the files."""
    assert config.measure is not None
    assert config.x is not None
    measure = MEASURES[config.measure]
    ticks = lab.labels(config.x, config.where)
    labels = series(lab, config)
    width = GROUP / len(labels)
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, 7.5, 4.2) as figure:
        axes = figure.subplots()
        for number, label in enumerate(labels):
            for place, tick in enumerate(ticks):
                runs = lab.select(selection(config, "", label) | {config.x: (tick,)})
                found = np.array(values(config.measure, runs))
                found = found[np.isfinite(found)]
                if len(found) == 0:
                    continue
                centre = place + (number - (len(labels) - 1) / 2) * width
                colour = COLOURS[number % len(COLOURS)]
                # named once, at the first group that has it
                named = None if label in axes.get_legend_handles_labels()[1] else label or None
                axes.bar(centre, found.mean(), 0.92 * width, color=colour, alpha=0.75, label=named)
                spread = np.linspace(-0.25, 0.25, len(found)) * width if len(found) > 1 else np.zeros(1)
                axes.plot(centre + spread, found, "o", color="black", markersize=2.5, alpha=0.6)
                rows += [[tick, label, repetition, value] for repetition, value in enumerate(found)]
        prepare(axes, measure.words, measure.form, config.log)
        write_ticks(axes, "x", range(len(ticks)), ticks)
        axes.set_xlabel(config.x)
        legend(figure, config.by)
    return [
        picture,
        save_table(folder / f"{config.name}.csv", [config.x, config.by or "by", "run", measure.words], rows),
    ]
