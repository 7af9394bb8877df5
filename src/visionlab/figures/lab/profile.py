"""A number of each layer at the first step, from the first layer to the last, a line for each label."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.layers import WORDS
from visionlab.figures.lab.looks import legend, look, prepare
from visionlab.labs.lab import Lab
from visionlab.labs.layers import at_step, by_layer, layer_names
from visionlab.labs.trained import Trained

STEP = 1  # the network as it was initialised


def save_profile(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write `measure`, a number of the diagnostics, by layer in a colour for each label of `by`; the files.

    Drawn is the median over repetitions; by orders of magnitude a layer of zeros has no place.
    """
    assert config.measure is not None
    assert config.by is not None
    words = WORDS.get(config.measure, config.measure)
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    most = 0
    with drawing(picture, config.title, 7, 4.4) as figure:
        axes = figure.subplots()
        for place, label in enumerate(lab.labels(config.by, config.where)):
            values = _at_first(lab.select(config.where | {config.by: (label,)}), config.measure)
            if len(values) == 0:
                continue
            most = max(most, len(values))
            name = label if not config.log or (values > 0).any() else f"{label} (all 0)"
            shown = np.where(values > 0, values, np.nan) if config.log else values
            axes.plot(range(1, len(values) + 1), shown, linewidth=1.8, label=name, **look(place))
            rows += [[label, layer, value] for layer, value in zip(layer_names(len(values)), values, strict=True)]
        prepare(axes, f"{words} at step {STEP}", "number", config.log)
        axes.set_xticks(range(1, most + 1), layer_names(most) if most else [])
        axes.set_xlabel("layer")
        legend(figure, config.by)
    return [picture, save_table(folder / f"{config.name}.csv", [config.by, "layer", config.measure], rows)]


def _at_first(runs: Sequence[Trained], what: str) -> NDArray[np.float64]:
    """(layers,) of runs with equally many."""
    found = [[at_step(curve, STEP) for curve in by_layer(run, what)] for run in runs]
    numbers = [[np.nan if value is None else value for value in values] for values in found if values]
    return np.median(np.array(numbers), axis=0) if numbers else np.array([])
