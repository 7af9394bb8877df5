"""The learning curves: loss and accuracy in training and in validation, and the learning rate below them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import BLUE, GREY, VERMILION, percent
from visionlab.tracking import journal
from visionlab.tracking.journal import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {"loss": ("train/loss", "val/loss"), "accuracy": ("train/accuracy", "val/accuracy"), "learning rate": ("lr",)}
MONITOR = "val/accuracy"
NAMES = tuple(name for names in PANELS.values() for name in names)
FEW = 60  # points that are marked one by one
Points = list[tuple[int, float]]


@dataclass(frozen=True)
class History:
    """What the journal has of the course of training.

    Attributes:
        points: by metric, (step, value) in the order of the steps.
        steps_per_epoch: None where no epoch has ended yet.
    """

    points: dict[str, Points]
    steps_per_epoch: float | None

    @property
    def best(self) -> tuple[int, float] | None:
        """Step and value of the validation whose weights are tested: the first of the highest accuracy."""
        defined = [point for point in self.points.get(MONITOR, []) if not math.isnan(point[1])]
        return max(defined, key=lambda point: point[1], default=None)

    @property
    def epochs(self) -> float | None:
        """How many have been trained for; None where that is not known yet."""
        steps = [points[-1][0] for points in self.points.values()]
        return max(steps) / self.steps_per_epoch if steps and self.steps_per_epoch is not None else None

    def when(self, step: int) -> str:
        """The epoch that ended at `step`, in words."""
        return f"step {step:,}" if self.steps_per_epoch is None else f"epoch {round(step / self.steps_per_epoch):,}"


def history(records: Sequence[Record]) -> History:
    """Collect the curves from the records of a journal."""
    points: dict[str, dict[int, float]] = {}
    steps_per_epoch = None
    for record in records:
        if record["kind"] != "metrics":
            continue
        step, values = record["step"], record["values"]
        for name in NAMES:
            if name in values:
                points.setdefault(name, {})[step] = values[name]
        # recorded when an epoch ends; without validation the epoch's number is not
        if steps_per_epoch is None and ("epoch" in values or "images_per_second" in values):
            steps_per_epoch = step / values.get("epoch", 1)
    return History({name: sorted(of.items()) for name, of in points.items()}, steps_per_epoch)


def save_learning_curves(journal_file: Path, folder: Path) -> list[Path]:
    """Write `learning_curves.png` and `learning_curves.csv`, if there is a point to draw yet.

    Args:
        journal_file: of the run.
        folder: created if it is not there.

    Returns:
        The two files, or none.
    """
    found = history(journal.read(journal_file)[0])
    panels = {label: names for label, names in PANELS.items() if any(name in found.points for name in names)}
    if not panels:
        return []
    picture = folder / "learning_curves.png"
    heights = [1 if label == "learning rate" else 2.6 for label in panels]
    with drawing(picture, title(found), 7, 0.95 * sum(heights) + 0.9) as figure:
        from matplotlib.ticker import MaxNLocator

        stacked = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (label, names) in zip(stacked, panels.items(), strict=True):
            _panel(axes, label, {name: found.points[name] for name in names if name in found.points}, found.best)
        stacked[-1].set_xlabel("step")
        stacked[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        if found.steps_per_epoch is not None:
            per_epoch = found.steps_per_epoch
            above = stacked[0].secondary_xaxis("top", functions=(lambda s: s / per_epoch, lambda e: e * per_epoch))
            above.set_xlabel("epoch")
            above.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    return [picture, save_table(folder / "learning_curves.csv", ["step", "epoch", *NAMES], _rows(found))]


def title(found: History) -> str:
    """What the curves say."""
    if found.best is not None:
        step, value = found.best
        return f"Best at {found.when(step)}: {percent(value)} validation accuracy"
    name = "train/accuracy" if "train/accuracy" in found.points else "train/loss"
    if name not in found.points:
        return "No accuracy was recorded"
    step, value = found.points[name][-1]
    came = f"accuracy {percent(value)}" if name == "train/accuracy" else f"loss {value:.3g}"
    return f"Training {came} after {found.when(step)}; no validation"


def _panel(axes: Axes, label: str, curves: dict[str, Points], best: tuple[int, float] | None) -> None:
    for name, points in curves.items():
        steps, values = zip(*points, strict=True)
        validation = name.startswith("val/")
        mark = ("o" if validation or len(points) == 1 else "") if len(points) <= FEW else ""
        colour, words = (VERMILION, "validation") if validation else (BLUE, "training")
        if name == "lr":
            colour = GREY
        axes.plot(steps, values, color=colour, marker=mark, markersize=4, linewidth=1.6, label=words)
    if best is not None:
        axes.axvline(best[0], color=GREY, linewidth=1, linestyle="--", label="best epoch")
    axes.set_ylabel(label)
    axes.set_xlim(left=0)
    if label == "learning rate":
        axes.set_ylim(bottom=0)
    else:
        axes.legend(fontsize=10)


def _rows(found: History) -> Iterator[list[object]]:
    table = {name: dict(points) for name, points in found.points.items()}
    for step in sorted({step for points in table.values() for step in points}):
        epoch = "" if found.steps_per_epoch is None else f"{step / found.steps_per_epoch:.6g}"
        yield [step, epoch, *(table[name].get(step, "") if name in table else "" for name in NAMES)]
