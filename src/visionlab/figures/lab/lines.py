"""A measure against an axis of numbers: the mean over repetitions and its standard deviation, a line for each label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab.campaigns.statistics import estimate
from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, look, panels, prepare, titled
from visionlab.labs.lab import Lab, values
from visionlab.labs.measures import MEASURES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAR = 20  # times the least label: from such a greatest one on they are drawn by orders of magnitude


def save_lines(lab: Lab, config: FigureConfig, folder: Path) -> list[Path]:
    """Write `measure` against the labels of `x`, with a colour for each label of `by`; the files."""
    assert config.measure is not None
    assert config.x is not None
    measure = MEASURES[config.measure]
    names: Sequence[str | None] = lab.labels(config.panels, config.where) if config.panels else [None]
    labels: Sequence[str | None] = lab.labels(config.by, config.where) if config.by else [None]
    ticks = lab.labels(config.x, config.where)
    places = _places(ticks)
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, 7 if len(names) == 1 else 9, 4.2 if len(names) <= 3 else 6.4) as figure:
        every = (
            [figure.subplots()]
            if names == [None]
            else panels(figure, [titled(config.panels, name or "") for name in names])
        )
        for name, axes in zip(names, every, strict=True):
            for number, label in enumerate(labels):
                points = []
                for tick in ticks:
                    where = config.where | {config.x: (tick,)}
                    where |= {config.by: (label,)} if config.by and label is not None else {}
                    where |= {config.panels: (name,)} if config.panels and name is not None else {}
                    found = estimate(values(config.measure, lab.select(where)))
                    if found is not None:
                        points.append((places[tick], found.mean, found.std))
                        rows.append([name or "", label or "", tick, found.count, found.mean, found.std])
                if points:
                    across, means, stds = zip(*points, strict=True)
                    bars = [0.0 if math.isnan(std) else std for std in stds]
                    shown = label or measure.words
                    axes.errorbar(across, means, yerr=bars, capsize=3, linewidth=1.8, label=shown, **look(number))
            prepare(axes, measure.words, measure.form, config.log)
            _ticks(axes, config.x, places)
        legend(figure, config.by)
    headings = [config.panels or "panel", config.by or "by", config.x, "runs", measure.words, "std"]
    return [picture, save_table(folder / f"{config.name}.csv", headings, rows)]


def _places(labels: Sequence[str]) -> dict[str, float]:
    """Where labels stand: numbers by their size or its order of magnitude, others side by side."""
    try:
        numbers = [float(label.rstrip(" %")) for label in labels]
    except ValueError:
        return {label: float(place) for place, label in enumerate(labels)}
    if min(numbers) > 0 and max(numbers) / min(numbers) >= FAR:
        numbers = [math.log10(number) for number in numbers]
    return dict(zip(labels, numbers, strict=True))


def _ticks(axes: Axes, name: str, places: dict[str, float]) -> None:
    axes.set_xlabel(name)
    axes.set_xticks([*places.values()], [*places])
