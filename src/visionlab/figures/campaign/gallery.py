"""Every picture of a campaign, each with its numbers beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from visionlab.campaigns.results import Results
from visionlab.figures.campaign.contour import save_contour
from visionlab.figures.campaign.curves import save_curves
from visionlab.figures.campaign.front import save_front
from visionlab.figures.campaign.history import save_history
from visionlab.figures.campaign.importance import save_importance
from visionlab.figures.campaign.parallel import save_parallel
from visionlab.figures.campaign.slices import save_slices
from visionlab.figures.campaign.spread import save_spread

Save = Callable[[Results, Path], list[Path]]
SETTINGS: tuple[Save, ...] = (save_importance, save_slices, save_parallel, save_contour)
# the points of a grid have no order that would mean anything
PICTURES: dict[str, tuple[Save, ...]] = {
    "tune": (save_history, save_curves, save_front, *SETTINGS),
    "grid": (save_curves, *SETTINGS),
    "crossval": (save_spread, save_curves),
    "repeat": (save_spread, save_curves),
}


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw what makes sense for the kind of campaign and what it has come to; the files, pictures and numbers.

    Args:
        folder: created if it is not there. Without a run that has a result nothing is drawn.
    """
    if not results.measured():
        return []
    return [file for save in PICTURES[results.kind] for file in save(results, folder)]
