"""The runs of a campaign as a table: the numbers behind the pictures of their settings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.words import differing
from visionlab.figures.files import save_table
from visionlab.reports.words import setting


def save_children(file: Path, results: Results, **columns: Iterable[object]) -> Path:
    """Write number, objectives and settings of every measured run as CSV; the file.

    A setting that is null stands as such; one that a run lacks leaves its cell empty.

    Args:
        columns: further ones by their heading, a value for each measured run.
    """
    children = results.measured()
    paths = differing(children)
    headings = ["number", *(objective.metric for objective in results.objectives), *columns, *paths]
    beside = zip(*columns.values(), strict=True) if columns else [()] * len(children)
    rows = (
        [child.number, *child.values, *more, *_settings(child, paths)]
        for child, more in zip(children, beside, strict=True)
    )
    return save_table(file, headings, rows)


def _settings(child: Child, paths: Iterable[str]) -> list[str]:
    return [setting(child.settings[path]) if path in child.settings else "" for path in paths]
