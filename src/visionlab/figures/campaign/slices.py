"""The outcome against each setting by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionlab.campaigns.results import Results
from visionlab.campaigns.words import capital, metric, rank, setting
from visionlab.figures.campaign.axes import Scale, add_legend, jitter, prepare_objective, scales
from visionlab.figures.campaign.numbers import save_children
from visionlab.figures.files import drawing
from visionlab.figures.style import BLUE, ORANGE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST, ABREAST = 12, 3  # panels
SPREAD = 0.3  # of the distance of two categories
MANY = 60  # runs, from which on the marks are smaller
NAMED = 4  # values in the title


def save_slices(results: Results, folder: Path) -> list[Path]:
    """Write `slices.png` and `slices.csv`, if two runs or more differ in a setting; the two files, or none.

    Args:
        folder: created if it is not there.
    """
    settings = scales(results)
    if not settings:
        return []
    shown = settings[:MOST]
    columns = min(len(shown), ABREAST)
    rows = -(-len(shown) // columns)
    picture = folder / "slices.png"
    with drawing(picture, _title(results, shown), max(3.2 * columns + 0.6, 6), 2.9 * rows + 0.9) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
        prepare_objective(panels[0, 0], "y", results.objectives[0], [child.values[0] for child in results.measured()])
        for axes, scale in zip(panels.flat, shown, strict=False):
            _panel(axes, scale, results)
        for axes in panels.flat[len(shown) :]:
            axes.remove()
        for axes in panels[1:, 0]:
            axes.set_ylabel(panels[0, 0].get_ylabel())
        add_legend(figure)
    return [picture, save_children(folder / "slices.csv", results)]


def _title(results: Results, shown: Sequence[Scale]) -> str:
    """What the best quarter of the runs has of the most important setting that all of them have."""
    turn = -1 if results.objectives[0].direction == "maximize" else 1
    ranked = sorted(results.measured(), key=lambda child: turn * child.values[0])
    best = ranked[: -(-len(ranked) // 4)]
    scale = next((scale for scale in shown if all(scale.path in child.settings for child in best)), None)
    runs = f"{len(best)} of {len(ranked)} runs have" if len(best) > 1 else f"of {len(ranked)} runs has"
    if scale is None:
        return f"{capital(metric(results.objectives[0].metric))} of {len(ranked)} runs by each setting"
    given = sorted((child.settings[scale.path] for child in best), key=rank)
    texts = [*dict.fromkeys(map(setting, given))]
    if scale.kind != "categorical" and len(texts) > 1:
        texts = [f"{texts[0]} to {texts[-1]}"]
    more = f" and {len(texts) - NAMED} other values" if len(texts) > NAMED else ""
    return f"The best {runs} {scale.name} {', '.join(texts[:NAMED])}{more}"


def _panel(axes: Axes, scale: Scale, results: Results) -> None:
    children = [child for child in results.measured() if scale.path in child.settings]
    places, values = scale.places(children), np.array([child.values[0] for child in children])
    across = places + SPREAD * jitter(children) if scale.kind == "categorical" else places
    size = 6 if len(children) < MANY else 4
    axes.plot(across, values, "o", color=BLUE, alpha=0.75, markersize=size, markeredgewidth=0, label="run")
    if scale.kind == "categorical":
        for place in np.unique(places):
            mean = values[places == place].mean()
            axes.plot([place - 0.35, place + 0.35], [mean, mean], color=ORANGE, linewidth=2, label="mean")
    if results.best in children:
        best = children.index(results.best)
        axes.plot(across[best], values[best], "o", color=VERMILION, markersize=size + 3, label="best")
    scale.prepare(axes, "x")
    lacking = len(results.measured()) - len(children)
    if lacking:
        axes.set_xlabel(f"{scale.name}\n(not used by {lacking} of {lacking + len(children)} runs)")
