"""A perceptron's weights after each sample: where it learns they come to rest, where it cannot they go in a circle."""

from __future__ import annotations

from pathlib import Path

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, look, panels
from visionlab.labs.lab import Lab
from visionlab.labs.rosenblatt import replay

LONGEST = 60  # samples that are drawn
AT_REST = 10  # samples without a mistake at the end


def save_updates(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Draw the first run's weights over its samples, a panel for each label of `panels`; picture and numbers."""
    labels = lab.labels(config.panels, config.where) if config.panels else []
    picture = folder / f"{config.name}.png"
    rows: list[list[object]] = []
    with drawing(picture, config.title, 9, 3.6) as figure:
        for label, axes in zip(labels, panels(figure, labels), strict=True):
            found = replay(lab.select(config.where | {config.panels or "": (label,)})[0])
            names = [*(f"w{i + 1}" for i in range(found.weights.shape[1] - 1)), "b"]
            for place, (name, values) in enumerate(zip(names, found.weights[: LONGEST + 1].T, strict=True)):
                looks = {**look(place), "marker": None}
                axes.step(range(len(values)), values, where="post", linewidth=1.8, label=name, **looks)
            last = found.last_mistake() or 0
            end = "no end of mistakes" if last > len(found.mistaken) - AT_REST else f"last mistake at sample {last}"
            axes.set_title(f"{label}: {end}")
            axes.set_xlabel("samples seen")
            rows += [[label, step, *values] for step, values in enumerate(found.weights.tolist())]
        legend(figure, "weight")
    return [
        picture,
        save_table(folder / f"{config.name}.csv", [config.panels or "panel", "sample", "w1", "w2", "b"], rows),
    ]
