"""Which class a network sees where, over the square of two inputs, and where its border is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import panels, titled
from visionlab.figures.style import BLUE, VERMILION, percent
from visionlab.labs import networks
from visionlab.labs.dichotomies import best_line
from visionlab.labs.lab import Lab
from visionlab.labs.trained import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS, MARGIN = 121, 0.6  # along each side, and beyond the inputs 0 and 1
PALE = ("#cfe3f1", "#f9dcc4")


def save_regions(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Draw a panel for each label of `panels`, two where some runs have every point right and some have not."""
    shown = []
    for label in lab.labels(config.panels, config.where) if config.panels else []:
        runs = lab.select(config.where | {config.panels or "": (label,)})
        shown += [(label, run) for run in _representatives(runs)]
    picture = folder / f"{config.name}.png"
    rows: list[list[object]] = []
    abreast = 4 if len(shown) > 3 else len(shown)
    lines = -(-len(shown) // abreast)
    with drawing(picture, config.title, 2.5 * abreast + 0.5, 3.1 * lines + 0.5) as figure:
        for (label, run), axes in zip(shown, panels(figure, [label for label, _ in shown], abreast), strict=True):
            inputs, labels, said = _draw(axes, run)
            right = percent(float((labels == said).mean()), 0)
            axes.set_title(f"{titled(config.panels, label)}: {right} right{_equation(run)}", fontsize=10)
            rows += [
                [label, run.run.id, *point, truth, answer]
                for point, truth, answer in zip(inputs.tolist(), labels.tolist(), said.tolist(), strict=True)
            ]
    headings = [config.panels or "panel", "run", "x1", "x2", "class", "said"]
    return [
        picture,
        save_table(folder / f"{config.name}.csv", headings, [[*row[:2], *_padded(row[2:])] for row in rows]),
    ]


def _representatives(runs: list[Trained]) -> list[Trained]:
    """The first run that has every point right and the best that has not, as far as there are such."""
    ranked = sorted(runs, key=lambda run: -(run.at_best("accuracy") or 0))
    solved = [run for run in ranked if run.at_best("accuracy") == 1]
    return [*solved[:1], *ranked[len(solved) : len(solved) + 1]]


def _draw(axes: Axes, run: Trained) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """The points (N, I), their classes and what the network says of them (N,)."""
    import torch

    loaded = networks.load(run)
    batch = next(iter(loaded.data.evaluation_loader("train", 1000)))
    inputs = batch.images.flatten(1)
    side = torch.linspace(-MARGIN, 1 + MARGIN, POINTS)
    across, up = torch.meshgrid(side, side, indexing="xy")
    grid = torch.stack([across, up], dim=-1).view(-1, 2)[:, : inputs.shape[1]]  # of one input only the first counts
    with torch.inference_mode():
        logits = loaded.module(grid.view(len(grid), *batch.images.shape[1:]))
        said = loaded.module(batch.images).argmax(dim=1)
    margin = (logits[:, 1] - logits[:, 0]).view(POINTS, POINTS).double().numpy()
    bounds = [-np.inf, 0, np.inf]
    axes.contourf(side.numpy(), side.numpy(), np.clip(margin, -1e6, 1e6), levels=bounds, colors=PALE)
    if margin.min() < 0 < margin.max():
        axes.contour(side.numpy(), side.numpy(), margin, levels=[0], colors="black", linewidths=1.6)
    answer = said.numpy()
    if run.config.model.name == "perceptron" and (answer != batch.targets.numpy()).any():
        line = best_line(inputs.double().numpy(), batch.targets.numpy())
        height = grid.double().numpy() @ line.weights + line.bias
        axes.contour(
            side.numpy(), side.numpy(), height.reshape(POINTS, POINTS), levels=[0], colors="black", linestyles="--"
        )
    for kind, (colour, mark) in enumerate(((BLUE, "o"), (VERMILION, "s"))):
        chosen = inputs[batch.targets == kind].numpy()
        heights = chosen[:, 1] if chosen.shape[1] > 1 else np.full(len(chosen), 0.5)
        axes.plot(chosen[:, 0], heights, mark, color=colour, markersize=11, markeredgecolor="black")
    axes.set(xticks=[0, 1], yticks=[0, 1] if inputs.shape[1] > 1 else [], xlabel="x1")
    place = axes.get_subplotspec()
    if inputs.shape[1] > 1 and (place is None or place.is_first_col()):
        axes.set_ylabel("x2")
    axes.set_aspect("equal")
    return inputs.double().numpy(), batch.targets.numpy(), answer


def _equation(run: Trained) -> str:
    """Of a single unit, the line or point that is its border."""
    weights = [weight.ravel().tolist() for weight in networks.parameters(run).values()]
    if run.config.model.name != "perceptron":
        return ""
    if not any(weights[0]):
        return "\nno line: all weights are 0"
    terms = [f"{weight:+.3g}\N{NO-BREAK SPACE}x{place + 1}" for place, weight in enumerate(weights[0])]
    return f"\n{' '.join(terms)} {weights[1][0]:+.3g} = 0".replace("-", "\N{MINUS SIGN}")


def _padded(values: list[object]) -> list[object]:
    """A point of one input has no second."""
    return values if len(values) == 4 else [values[0], "", *values[1:]]
