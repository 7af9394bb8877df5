"""How far runs lie apart that differ in nothing but a seed or a fold."""

from __future__ import annotations

from pathlib import Path

from visionlab.campaigns.results import Results
from visionlab.campaigns.statistics import Estimate, estimate
from visionlab.campaigns.words import capital, metric, pair, value
from visionlab.figures.campaign.axes import add_legend, prepare_count, prepare_objective
from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import BLUE, SKY

PATHS = {"crossval": "data.fold", "repeat": "seed"}
MANY = 60  # runs, from which on the marks are smaller


def save_spread(results: Results, folder: Path) -> list[Path]:
    """Write `spread.png` and `spread.csv`, of folds or seeds that have a result; the two files, or none.

    Args:
        folder: created if it is not there.
    """
    children, objective = results.measured(), results.objectives[0]
    values = [child.values[0] for child in children]
    found = estimate(values)
    if found is None:
        return []
    path = PATHS[results.kind]
    name = path.rpartition(".")[2]
    picture = folder / "spread.png"
    with drawing(picture, _title(results, found), 6.4, 3.8) as figure:
        axes = figure.subplots()
        prepare_objective(axes, "y", objective, values)
        if found.count > 1:
            axes.axhspan(found.low, found.high, color=SKY, alpha=0.3, linewidth=0, label="95 % interval of the mean")
        axes.axhline(found.mean, color=BLUE, linewidth=1.6, label="mean")
        places = [child.settings[path] for child in children]
        axes.plot(places, values, "o", color=BLUE, markersize=7 if len(values) < MANY else 4, label=name)
        axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
        prepare_count(axes, name)
        add_legend(figure)
    rows = ([child.number, child.settings[path], child.values[0]] for child in children)
    return [picture, save_table(folder / "spread.csv", ["number", path, objective.metric], rows)]


def _title(results: Results, found: Estimate) -> str:
    name, thing = results.objectives[0].metric, PATHS[results.kind].rpartition(".")[2]
    if found.count == 1:
        return f"{capital(metric(name))} {value(name, found.mean)} with one {thing} so far"
    interval = pair(name, found.low, "to", found.high)
    mean = pair(name, found.mean, "±", found.std)
    return f"{capital(metric(name))} {mean} over {found.count} {thing}s; 95 % interval of the mean {interval}"
