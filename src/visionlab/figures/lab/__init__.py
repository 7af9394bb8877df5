"""The pictures of labs, one kind in each file, each with its numbers beside it. Register a kind here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from visionlab.config.lab import FigureConfig, FigureKind
from visionlab.figures.lab.averages import save_averages
from visionlab.figures.lab.bars import save_bars
from visionlab.figures.lab.confusions import save_confusions
from visionlab.figures.lab.curves import save_curves
from visionlab.figures.lab.layers import save_layers
from visionlab.figures.lab.lines import save_lines
from visionlab.figures.lab.network import save_network
from visionlab.figures.lab.profile import save_profile
from visionlab.figures.lab.recalls import save_recalls
from visionlab.figures.lab.regions import save_regions
from visionlab.figures.lab.surface import save_surface
from visionlab.figures.lab.updates import save_updates
from visionlab.labs.lab import Lab

Save = Callable[[Lab, FigureConfig, Path], list[Path]]
KINDS: dict[FigureKind, Save] = {
    "averages": save_averages,
    "bars": save_bars,
    "confusions": save_confusions,
    "curves": save_curves,
    "layers": save_layers,
    "lines": save_lines,
    "network": save_network,
    "profile": save_profile,
    "recalls": save_recalls,
    "regions": save_regions,
    "surface": save_surface,
    "updates": save_updates,
}


def draw(lab: Lab, figure: FigureConfig, folder: Path) -> list[Path]:
    """Draw a picture of a lab; its files, or none where there are no runs to draw.

    Args:
        folder: created if it is not there.
    """
    return KINDS[figure.kind](lab, figure, folder) if lab.select(figure.where) else []
