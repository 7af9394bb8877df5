"""A measure against an axis of numbers: the mean over repetitions and its standard deviation, a line for each label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab.campaigns.statistics import estimate
from visionlab.config.lab import FigureConfig
from visionlab.figures.files import drawing, save_table
from visionlab.figures.lab.looks import legend, look, parts, prepare, selection, series, size
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
    places = _places(lab.labels(config.x, config.where))
    picture = folder / f"{config.name}.png"
    rows: list[list[Any]] = []
    with drawing(picture, config.title, *size(lab, config)) as figure:
        for panel, axes in parts(lab, config, figure):
            for number, label in enumerate(series(lab, config)):
                points = []
                for tick, place in places.items():
                    runs = lab.select(selection(config, panel, label) | {config.x: (tick,)})
                    found = estimate(values(config.measure, runs))
                    if found is not None:
                        points.append((place, found.mean, found.std))
                        rows.append([panel, label, tick, found.count, found.mean, found.std])
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
