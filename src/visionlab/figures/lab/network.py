"""A small network with the numbers that pass through it: forward in one colour, gradients in another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_numbers
from visionlab.figures.style import BLUE, GREY, PALE, VERMILION
from visionlab.labs.lab import Lab
from visionlab.labs.worked import Worked, work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (0.0, 1.0, 2.0)  # of inputs, hidden units and classes
SAMPLE = 1  # the one whose way is drawn: not all of its inputs are zero


def save_network(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Draw the first run's network with its weights, one sample's values and all gradients; picture and numbers."""
    worked = work(lab.select(config.where)[0])
    picture = folder / f"{config.name}.png"
    with drawing(picture, config.title, 9, 5.4) as figure:
        axes = figure.subplots()
        axes.set(xlim=(-0.35, 2.75), ylim=(-0.45, 1.75))
        axes.axis("off")
        _edges(axes, worked)
        _units(axes, worked)
        sample = f"sample x = {_listed(worked.passed.x[SAMPLE])}, class {worked.labels[SAMPLE]}"
        axes.text(0, -0.42, f"forward: {sample}", color=BLUE, fontsize=10)
        axes.text(1.35, -0.42, "backward: gradient of the mean loss over all samples", color=VERMILION, fontsize=10)
        loss = f"loss over all samples\nL = {worked.passed.loss:.4f}"
        axes.text(2.42, 0.65, loss, fontsize=10, va="center")
    return [picture, save_numbers(folder / f"{config.name}.json", _numbers(worked))]


def _edges(axes: Axes, worked: Worked) -> None:
    layers = (("W1", "b1", 0), ("W2", "b2", 1))
    for weight, bias, place in layers:
        matrix, gradient = worked.start[weight], worked.gradients[weight]
        into, out_of = matrix.shape
        for j in range(into):
            for i in range(out_of):
                ends = (COLUMNS[place], COLUMNS[place + 1]), (_height(i, out_of), _height(j, into))
                axes.plot(*ends, color=PALE, linewidth=1.2, zorder=1)
                # near the unit that it comes from, so that crossing edges keep their numbers apart
                across = ends[0][0] + 0.3 * (ends[0][1] - ends[0][0])
                up = ends[1][0] + 0.3 * (ends[1][1] - ends[1][0])
                _pair(axes, across, up, matrix[j, i], gradient[j, i])
        for j in range(into):
            bias_text = f"b {worked.start[bias][j]:+.3f}"
            above = _height(j, into) + 0.25
            axes.text(COLUMNS[place + 1], above + 0.045, bias_text, color=BLUE, fontsize=9, ha="center", va="bottom")
            slope = f"db {worked.gradients[bias][j]:+.4f}"
            axes.text(COLUMNS[place + 1], above - 0.035, slope, color=VERMILION, fontsize=9, ha="center", va="bottom")


def _units(axes: Axes, worked: Worked) -> None:
    passed = worked.passed
    texts = [
        [f"x{i + 1}\n{value:g}" for i, value in enumerate(passed.x[SAMPLE])],
        [f"z {z:+.3f}\nh {h:+.3f}" for z, h in zip(passed.z1[SAMPLE], passed.h[SAMPLE], strict=True)],
        [f"z {z:+.3f}\np {p:.3f}" for z, p in zip(passed.z2[SAMPLE], passed.p[SAMPLE], strict=True)],
    ]
    names = ("inputs", f"hidden units, {worked.activation}", "classes, softmax")
    for across, units, name in zip(COLUMNS, texts, names, strict=True):
        axes.text(across, 1.68, name, ha="center", color=GREY, fontsize=10)
        for place, text in enumerate(units):
            height = _height(place, len(units))
            axes.plot(across, height, "o", markersize=52, color="white", markeredgecolor=BLUE, zorder=2)
            axes.text(across, height, text, ha="center", va="center", color=BLUE, fontsize=9, zorder=3)


def _pair(axes: Axes, across: float, up: float, weight: float, gradient: float) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    axes.text(across, up + 0.045, f"w {weight:+.3f}", color=BLUE, fontsize=9, ha="center", va="center", bbox=box)
    axes.text(
        across, up - 0.045, f"dw {gradient:+.4f}", color=VERMILION, fontsize=9, ha="center", va="center", bbox=box
    )


def _height(place: int, count: int) -> float:
    """The first unit is the uppermost."""
    return 1.3 - 1.3 * place / max(1, count - 1)


def _listed(values: Any) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _numbers(worked: Worked) -> dict[str, Any]:
    passed = worked.passed
    return {
        "activation": worked.activation,
        "learning rate": worked.rate,
        "labels": worked.labels.tolist(),
        "forward": {name: getattr(passed, name).tolist() for name in ("x", "z1", "h", "z2", "p")},
        "loss": passed.loss,
        "weights": {name: array.tolist() for name, array in worked.start.items()},
        "gradients": {name: array.tolist() for name, array in worked.gradients.items()},
        "gradients by autograd": {name: array.tolist() for name, array in worked.automatic.items()},
        "weights after the step": {name: array.tolist() for name, array in worked.stepped.items()},
        "loss after the step": worked.loss_at(worked.stepped),
    }
