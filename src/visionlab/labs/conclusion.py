"""What a lab leaves when its runs are done: verdicts, table, pictures and page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from visionlab.campaigns.statistics import estimate
from visionlab.figures.lab import draw
from visionlab.labs.effects import Verdict, judge
from visionlab.labs.lab import Lab, Labels, values
from visionlab.labs.measures import MEASURES
from visionlab.labs.trained import Trained
from visionlab.tracking.run import Run

TABLE = "lab"  # its name
EFFECTS, SIZE = "effects", "size"  # entries of report.json


def verdicts(lab: Lab) -> list[Verdict]:
    """What became of each effect that the lab's file expects."""
    return [judge(effect, lab) for effect in lab.config.effects]


def report(lab: Lab, found: Sequence[Verdict], text: Sequence[str]) -> dict[str, Any]:
    """The entries of `report.json`, with the verdicts behind other sentences."""
    effects = [{"seen": verdict.seen, "text": verdict.text} for verdict in found]
    return {EFFECTS: effects, SIZE: lab.config.size, "text": [*text, *(verdict.text for verdict in found)]}


def draw_all(lab: Lab, folder: Path) -> list[Path]:
    """Draw the pictures into a folder; their files and those of their numbers."""
    return [file for figure in lab.config.figures for file in draw(lab, figure, folder)]


def rows(lab: Lab) -> list[tuple[Labels, int, list[str]]]:
    """For each group of runs its labels, how many there are, and every measure as `mean ± std` over them."""
    return [(labels, len(runs), [_cell(name, runs) for name in lab.config.measures]) for labels, runs in lab.groups()]


def _cell(name: str, runs: Sequence[Trained]) -> str:
    measure, found = MEASURES[name], estimate(values(name, runs))
    if found is None:
        return "undefined"
    if math.isnan(found.std):
        return measure.written(found.mean)
    return measure.pair(found.mean, "±", found.std)


def columns(lab: Lab) -> dict[str, list[Any]]:
    """The table for MLflow: each measure's mean and standard deviation."""
    groups = list(lab.groups())
    axes = list(dict.fromkeys(axis for labels, _ in groups for axis in labels))
    table: dict[str, list[Any]] = {axis: [labels.get(axis, "") for labels, _ in groups] for axis in axes}
    table["runs"] = [len(runs) for _, runs in groups]
    for name in lab.config.measures:
        estimates = [estimate(values(name, runs)) for _, runs in groups]
        table[name] = ["" if found is None else found.mean for found in estimates]
        table[f"{name} std"] = ["" if found is None or math.isnan(found.std) else found.std for found in estimates]
    return table


def absent(campaign: Run) -> list[str]:
    """Of a lab's folder a line for each effect that its runs do not show, and for what could not be judged.

    A lab in its tiny size is no more than a look: there it is enough that none is seen not to be.
    """
    report = campaign.report()
    if EFFECTS not in report:
        return [f"{campaign.id}: its effects could not be judged; what it printed says why"]
    is_look = report[SIZE] == "tiny"
    lines = [
        f"{campaign.id}: {effect['text']}"
        for effect in report[EFFECTS]
        if effect["seen"] is False or (effect["seen"] is None and not is_look)
    ]
    missing = report["total"] - report["counts"].get("finished", 0)
    if missing:
        lines.append(f"{campaign.id}: {missing} of {report['total']} runs did not come to their end")
    return lines
