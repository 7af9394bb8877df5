"""The pictures of labs, one kind in each file, each with its numbers beside it. Register a kind here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from visionlab.config.lab import FigureConfig, FigureKind
from visionlab.figures.lab.bars import save_bars
from visionlab.figures.lab.curves import save_curves
from visionlab.figures.lab.lines import save_lines
from visionlab.labs.lab import Lab

Save = Callable[[Lab, FigureConfig, Path], list[Path]]
KINDS: dict[FigureKind, Save] = {"bars": save_bars, "curves": save_curves, "lines": save_lines}


def draw(lab: Lab, figure: FigureConfig, folder: Path) -> list[Path]:
    """Draw a picture of a lab; its files, or none where there are no runs to draw.

    Args:
        folder: created if it is not there.
    """
    return KINDS[figure.kind](lab, figure, folder) if lab.select(figure.where) else []
