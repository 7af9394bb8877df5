"""Every picture of a tested run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab.figures.confusion import save_confusion

if TYPE_CHECKING:
    from visionlab.data.datamodule import ImageDataModule
    from visionlab.tracking.run import Run


def draw(run: Run, datamodule: ImageDataModule[Any]) -> list[Path]:
    """Draw the pictures of a tested run into its folder, each with its numbers beside it; the files."""
    report = run.report()
    return save_confusion(report["confusion"], report["classes"], run.figures)
