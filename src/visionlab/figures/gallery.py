"""Every picture of a run, each with its numbers beside it, and the page that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visionlab.config.data import AugmentConfig
from visionlab.figures.augmented import save_augmented
from visionlab.figures.confusion import draw_from_table, save_confusion
from visionlab.figures.hardest import save_hardest
from visionlab.figures.learning_curves import save_learning_curves
from visionlab.figures.per_class import save_per_class
from visionlab.figures.precision_recall import save_precision_recall
from visionlab.figures.ranking import positive_label
from visionlab.figures.reliability import save_reliability
from visionlab.figures.roc import save_roc
from visionlab.figures.sheet import MOST
from visionlab.reports.run import write_run_page
from visionlab.tracking import predictions

if TYPE_CHECKING:
    from torch import Tensor

    from visionlab.data.datamodule import ImageDataModule
    from visionlab.tracking.run import Run


def draw(run: Run, datamodule: ImageDataModule[Any]) -> list[Path]:
    """Draw the pictures of a tested run into its folder and write its page; the files."""
    files = draw_from_disk(run)
    tested = predictions.load(run)
    files += save_hardest(
        lambda indices: _array(datamodule.pixels("test", indices.tolist())),
        tested.probabilities,
        tested.labels,
        datamodule.classes,
        run.figures,
    )
    files += _draw_augmented(run, datamodule)
    return [*files, write_run_page(run, concluded=True)]


def draw_from_disk(run: Run) -> list[Path]:
    """Draw the pictures that need no images: as many as the run has come to; the files."""
    files = save_learning_curves(run.journal_file, run.figures)
    validation = run.path / "tables" / "validation_confusion_matrix.json"
    if validation.exists():
        files += draw_from_table(validation, run.figures)
    report = run.report()
    if "test" not in report:
        return files
    tested, classes, folder = predictions.load(run), report["classes"], run.figures
    positive = positive_label(classes, run.config().data.positive_class)
    images = [sum(row) for row in report["confusion"]]
    return [
        *files,
        *save_confusion(report["confusion"], classes, folder),
        *save_per_class(report["per_class"], images, classes, folder),
        *save_roc(tested.probabilities, tested.labels, classes, positive, folder),
        *save_precision_recall(tested.probabilities, tested.labels, classes, positive, folder),
        *save_reliability(tested.probabilities, tested.labels, folder),
    ]


def _draw_augmented(run: Run, datamodule: ImageDataModule[Any]) -> list[Path]:
    # a loader of its own, whose random numbers are its own too: training, should it go on, notices nothing
    loader = datamodule.train_dataloader()
    loader.rank, loader.world_size = 0, 1  # whole batches: the picture is that of one process
    loader.set_epoch(len(datamodule.config.augment.progressive))  # the first one in full size
    images, targets, indices = (part[:MOST] for part in next(iter(loader)))
    mean, std = (values.view(1, -1, 1, 1).to(images.device) for values in (datamodule.mean, datamodule.std))
    pixels = ((images * std + mean) * 255).round().clamp(0, 255).byte()
    augment = datamodule.config.augment
    off = AugmentConfig().model_dump(mode="json")
    operations = {name: value for name, value in augment.model_dump(mode="json").items() if value != off[name]}
    arrays = _array(pixels), _array(targets), _array(indices)
    return save_augmented(*arrays, datamodule.classes, operations, run.figures)


def _array(values: Tensor) -> np.ndarray:
    return np.asarray(values.cpu())
