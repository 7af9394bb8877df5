"""The curve of a learning-rate range test."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from visionlab.figures.style import style


def save_lr_find(rates: np.ndarray, losses: np.ndarray, chosen: int, file: Path) -> Path:
    """Draw the loss over the learning rate, with the suggestion marked; the file.

    Args:
        rates, losses: (N,) each, in the order of the steps.
        chosen: index of the suggestion.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.stem}.{os.getpid()}.png")
    with style() as plt:
        figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
        axes.plot(rates, losses, color="#0072b2")
        axes.plot(rates[chosen], losses[chosen], "o", color="#d55e00")
        axes.annotate(
            f"{rates[chosen]:.2g}", (rates[chosen], losses[chosen]), xytext=(8, 8), textcoords="offset points"
        )
        axes.set_xscale("log")
        axes.set_title(f"The loss falls fastest at a learning rate of {rates[chosen]:.2g}")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss, smoothed")
        figure.savefig(part)
    part.replace(file)
    return file
