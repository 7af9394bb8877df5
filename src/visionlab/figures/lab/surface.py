"""The loss as a surface over two weights, and one step of gradient descent on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import VERMILION
from visionlab.labs.backprop import Weights
from visionlab.labs.lab import Lab
from visionlab.labs.worked import Worked, work

POINTS = 61  # along each side
REACH = 1.2  # at least, from the middle: nearer by, every surface is a plane
NAMES = {"W1": "input", "W2": "hidden unit"}  # what weights come from

Place = tuple[str, int, int]  # matrix, row and column


def save_surface(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Draw the loss of the first run over two weights, and its step as an arrow; the picture and its numbers.

    The other weights stay as they were, so the arrow is the part of the step that lies in this plane.
    """
    worked = work(lab.select(config.where)[0])
    both = _steepest(worked)
    start = np.array([worked.start[name][row, column] for name, row, column in both])
    move = -worked.rate * np.array([worked.gradients[name][row, column] for name, row, column in both])
    reach = max(REACH, 2.5 * float(np.abs(move).max()))
    first, second = (np.linspace(centre - reach, centre + reach, POINTS) for centre in start + move / 2)
    losses = np.array([[_loss(worked, both, (a, b)) for a in first] for b in second])
    picture = folder / f"{config.name}.png"
    here, there = (float(start[0]), float(start[1])), (float(start[0] + move[0]), float(start[1] + move[1]))
    with drawing(picture, config.title, 7, 5.4) as figure:
        axes = figure.subplots()
        shades = axes.contourf(first, second, losses, levels=18, cmap="viridis")
        axes.contour(first, second, losses, levels=18, colors="white", linewidths=0.4)
        axes.annotate("", there, here, arrowprops={"color": VERMILION, "width": 2.5, "headwidth": 10})
        axes.plot(*here, "o", color="white", markeredgecolor=VERMILION, markersize=9)
        for place, word, side in ((here, "before", -1), (there, "after", 1)):
            axes.annotate(
                f"{word}: L = {_loss(worked, both, place):.4f}",
                place,
                xytext=(14 * side * np.sign(move[0]), 12 * side * np.sign(move[1])),
                textcoords="offset points",
                ha="left" if side * move[0] > 0 else "right",
                va="bottom" if side * move[1] > 0 else "top",
                fontsize=10,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
            )
        axes.set(xlabel=_words(both[0]), ylabel=_words(both[1]))
        axes.set_aspect("equal")
        bar = figure.colorbar(shades, ax=axes)
        bar.set_label("loss over all samples")
    rows = ([a, b, losses[j, i]] for j, b in enumerate(second) for i, a in enumerate(first))
    return [picture, save_table(folder / f"{config.name}.csv", [*map(_words, both), "loss"], rows)]


def _steepest(worked: Worked) -> list[Place]:
    """Of each layer the weight with the largest gradient: two of one layer would make no more than a slope."""
    found = []
    for name in NAMES:
        gradients = np.abs(worked.gradients[name])
        row, column = np.unravel_index(int(gradients.argmax()), gradients.shape)
        found.append((name, int(row), int(column)))
    return found


def _words(place: Place) -> str:
    name, row, column = place
    to = f"hidden unit {row + 1}" if name == "W1" else f"class {row}"
    return f"weight from {NAMES[name]} {column + 1} to {to}"


def _loss(worked: Worked, both: Sequence[Place], values: Sequence[float]) -> float:
    weights: Weights = {name: array.copy() for name, array in worked.start.items()}
    for (name, row, column), value in zip(both, values, strict=True):
        weights[name][row, column] = value
    return worked.loss_at(weights)
