"""The recall of each class, from the one with the most training images to the one with the fewest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, look, prepare, titled
from visionlab.labs.confusion import confusion, recalls, training_sizes
from visionlab.labs.lab import Lab


def save_recalls(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write mean recalls over repetitions, a panel for each label of `panels`, a line for each of `by`; the files."""
    assert config.panels is not None
    assert config.by is not None
    names = lab.labels(config.panels, config.where)
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, 4.3 * min(len(names), 3) + 0.3, 4.6) as figure:
        # not `panels`, whose horizontal axes are one and the same: here each has its own sizes of classes
        every = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for name, axes in zip(names, every, strict=True):
            axes.set_title(titled(config.panels, name))
            chosen = config.where | {config.panels: (name,)}
            sizes = training_sizes(lab.select(chosen)[0])
            order = np.argsort(-sizes, kind="stable")
            for place, label in enumerate(lab.labels(config.by, chosen)):
                found = _mean(lab, chosen | {config.by: (label,)})
                if found is None:
                    continue
                axes.plot(range(len(order)), found[order], linewidth=1.6, label=label, **look(place))
                rows += [[name, label, int(kind), int(sizes[kind]), found[kind]] for kind in order]
            prepare(axes, "recall in validation", "share")
            axes.set_ylim(-0.03, 1.03)
            axes.set_xticks(range(len(order)), [str(size) for size in sizes[order]], fontsize=9)
            axes.set_xlabel("training images of the class")
        legend(figure, config.by)
    headings = [config.panels, config.by, "class", "training images", "recall"]
    return [picture, save_table(folder / f"{config.name}.csv", headings, rows)]


def _mean(lab: Lab, where: dict[str, tuple[str, ...]]) -> np.ndarray | None:
    """(K,) over the runs that have a confusion matrix; None where none has."""
    matrices: Sequence[Any] = [confusion(run) for run in lab.select(where)]
    found = [recalls(counts) for counts in matrices if counts is not None]
    return np.mean(found, axis=0) if found else None
