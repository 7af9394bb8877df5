"""The curve of a learning-rate range test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visionlab.figures.files import drawing
from visionlab.figures.style import BLUE, VERMILION


def save_lr_find(rates: np.ndarray, losses: np.ndarray, chosen: int, file: Path) -> Path:
    """Draw the loss over the learning rate, with the suggestion marked; the file.

    Args:
        rates, losses: (N,) each, in the order of the steps.
        chosen: index of the suggestion.
    """
    from matplotlib.ticker import FuncFormatter

    with drawing(file, f"The loss falls fastest at a learning rate of {rates[chosen]:.2g}", 7, 4.2) as figure:
        axes = figure.subplots()
        axes.plot(rates, losses, color=BLUE)
        axes.plot(rates[chosen], losses[chosen], "o", color=VERMILION)
        axes.annotate(
            f"{rates[chosen]:.2g}", (rates[chosen], losses[chosen]), xytext=(8, 8), textcoords="offset points"
        )
        axes.set_xscale("log")
        # matplotlib's own writes orders of magnitude as formulas, which the style has turned off
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss, smoothed")
    return file
