"""What was measured: validation results of the best epoch, and test results; kept, and read again."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking import journal, predictions
from visionlab.tracking.journal import Journal
from visionlab.tracking.run import Run
from visionlab.training.classifier import Classifier

VALIDATION_TABLE = "validation_confusion_matrix"


class KeepValidation(Callback):
    """Keeps the confusion matrix of the epoch that is best by validation accuracy so far as a table of the run.

    Args:
        with_predictions: also keep what the network said of each image then.
    """

    def __init__(self, run: Run, journal: Journal, with_predictions: bool) -> None:
        self._run, self._journal, self._with_predictions = run, journal, with_predictions
        self._best = -1.0

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        scores = pl_module.scores
        if scores is not None and scores.summary["accuracy"] > self._best:
            self._best = scores.summary["accuracy"]
            datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
            columns = confusion_columns(scores.confusion, datamodule.classes)
            self._journal.append("table", file=self._run.add_table(VALIDATION_TABLE, columns))
            if self._with_predictions:
                predictions.save(self._run, scores.probabilities.numpy(), scores.labels.numpy(), predictions.VALIDATION)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._best = state_dict["best"]


class KeepScores(Callback):
    """Writes the test scores into the run's report and what the network said of each image into `predictions.npz`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        scores = pl_module.scores
        if trainer.is_global_zero and scores is not None:
            datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
            predictions.save(self._run, scores.probabilities.numpy(), scores.labels.numpy())
            self._run.add_table("confusion_matrix", confusion_columns(scores.confusion, datamodule.classes))
            self._run.add_table("per_class", {"class": datamodule.classes, **scores.per_class})
            self._run.add_to_report(
                test=scores.summary,
                classes=list(datamodule.classes),
                per_class=scores.per_class,
                confusion=scores.confusion.tolist(),
            )


def confusion_columns(confusion: Tensor, classes: tuple[str, ...]) -> dict[str, list[Any]]:
    """The columns of a table of (K, K) counts: the true class, then one column for each predicted one."""
    counts = confusion.tolist()
    columns: dict[str, list[Any]] = {"true class": list(classes)}
    return columns | {f"predicted {name}": [row[i] for row in counts] for i, name in enumerate(classes)}


def course(run: Run) -> tuple[int, dict[str, float]]:
    """The last step in the journal, and the validation results of the epoch that was best by accuracy."""
    records = [record for record in journal.read(run.journal_file)[0] if record["kind"] == "metrics"]
    training = [record for record in records if any(not name.startswith("system/") for name in record["values"])]
    validations = [record["values"] for record in records if "val/accuracy" in record["values"]]
    best: dict[str, float] = max(validations, key=lambda values: values["val/accuracy"], default={})
    return (
        training[-1]["step"] if training else 0,
        {name.removeprefix("val/"): value for name, value in best.items() if name.startswith("val/")},
    )
