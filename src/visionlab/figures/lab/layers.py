"""What goes on in each layer over the steps, as a heat map: layers from the first down to the output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import panels, titled
from visionlab.labs.lab import Lab
from visionlab.labs.layers import by_layer, layer_names
from visionlab.labs.trained import Trained

MAGNITUDES = 12  # below the greatest value that are told apart; nothing learns from what is less
MOST_NAMES = 12  # of layers that fit beside a panel
WORDS = {
    "grad_norm": "norm of the gradient",
    "weight_norm": "norm of the weights",
    "std": "standard deviation of the activations",
    "mean": "mean of the activations",
    "zeros": "share of zeros",
}


def save_layers(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write `measure`, a number of the diagnostics, by layer and step in a panel for each label of `panels`; the files.

    Drawn is the median over repetitions, its colours by orders of magnitude.
    """
    from matplotlib.colors import LogNorm

    assert config.measure is not None
    assert config.panels is not None
    shown = []
    for label in lab.labels(config.panels, config.where):
        found = _median(lab.select(config.where | {config.panels: (label,)}), config.measure)
        if found is not None:
            shown.append((label, *found))
    picture = folder / f"{config.name}.png"
    with drawing(picture, config.title, 9.5, 4.2 if len(shown) <= 4 else 6.8) as figure:
        labels = [titled(config.panels, label) for label, _, _ in shown]
        drawn = panels(figure, labels, 4) if shown else []
        low, high = _bounds([values for _, _, values in shown])
        for (_, steps, values), axes in zip(shown, drawn, strict=True):
            colours = axes.pcolormesh(
                _edges(steps),
                np.arange(len(values) + 1) + 0.5,
                np.clip(values, low, None),  # of the logarithm of 0 there would be nothing to see
                norm=LogNorm(low, high),
                cmap="viridis",
            )
            axes.set_facecolor("lightgrey")  # what was not finite
            names = layer_names(len(values))
            every = -(-len(names) // MOST_NAMES)
            ticks = [*range(0, len(names) - every, every), len(names) - 1]
            axes.set_yticks([tick + 1 for tick in ticks], [names[tick] for tick in ticks])
            axes.set_ylim(len(values) + 0.5, 0.5)
            axes.set_xlabel("step")
        if shown:
            drawn[0].set_ylabel("layer")
            bar = figure.colorbar(colours, ax=drawn, extend="min", aspect=30)
            bar.set_label(WORDS.get(config.measure, config.measure))
            bar.ax.yaxis.set_major_formatter(
                lambda tick, _: f"{tick:.0e}" if tick < 0.01 or tick > 1000 else f"{tick:g}"
            )
    rows: list[list[Any]] = [
        [label, name, int(step), value]
        for label, steps, values in shown
        for name, line in zip(layer_names(len(values)), values.tolist(), strict=True)
        for step, value in zip(steps, line, strict=True)
    ]
    return [picture, save_table(folder / f"{config.name}.csv", [config.panels, "layer", "step", config.measure], rows)]


def _median(runs: Sequence[Trained], what: str) -> tuple[list[int], NDArray[np.float64]] | None:
    """The steps (T,) that all runs have recorded, and the values (layers, T); None where there are none."""
    found = [[dict(curve) for curve in by_layer(run, what)] for run in runs]
    found = [layers for layers in found if layers]
    if not found:
        return None
    steps = sorted(set.intersection(*(set(layer) for layers in found for layer in layers)))
    values = np.array([[[layer[step] for step in steps] for layer in layers] for layers in found])
    return steps, np.median(values, axis=0)


def _bounds(several: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The least and the greatest value of the colours, whole orders of magnitude."""
    values = np.concatenate([each.ravel() for each in several]) if several else np.ones(1)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) == 0:
        return 0.1, 1.0
    high = math.ceil(math.log10(values.max()))
    low = min(math.floor(math.log10(values.min())), high - 1)
    return 10.0 ** max(low, high - MAGNITUDES), 10.0**high


def _edges(steps: Sequence[int]) -> list[float]:
    """Where the columns of some steps begin and end: half-way to their neighbours."""
    if len(steps) == 1:
        return [steps[0] - 0.5, steps[0] + 0.5]
    inner = [(a + b) / 2 for a, b in pairwise(steps)]
    return [2 * steps[0] - inner[0], *inner, 2 * steps[-1] - inner[-1]]
