"""Measures that every run has."""

from __future__ import annotations

from visionlab.labs import networks
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained


def _fitted(run: Trained) -> float:
    return networks.accuracy(run, "train")


def _gap(run: Trained) -> float:
    return _fitted(run) - networks.accuracy(run, "val")


def _final_gap(run: Trained) -> float | None:
    training, validation = run.last("train/accuracy"), run.last("val/accuracy")
    return None if training is None or validation is None else training - validation


def _best_loss(run: Trained) -> float | None:
    return min((value for _, value in run.curves.get("val/loss", ())), default=None)


def _first_accuracy(run: Trained) -> float | None:
    curve = run.curves.get("val/accuracy")
    return curve[0][1] if curve else None


def _calibration_error(run: Trained) -> float | None:
    return run.last("val/calibration_error")


def _loss_rise(run: Trained) -> float | None:
    best, last = _best_loss(run), run.last("val/loss")
    return None if best is None or last is None else last - best


def _parameters(run: Trained) -> float:
    return float(run.run.start()["params"]["model.parameters"])


MEASURES = {
    "accuracy": Measure("validation accuracy", lambda run: run.at_best("accuracy"), "share"),
    "balanced_accuracy": Measure("balanced accuracy", lambda run: run.at_best("recall"), "share"),
    "first_accuracy": Measure("validation accuracy when first measured", _first_accuracy, "share"),
    "final_accuracy": Measure("validation accuracy at the end", lambda run: run.last("val/accuracy"), "share"),
    "training_accuracy": Measure("accuracy in training, at the end", lambda run: run.last("train/accuracy"), "share"),
    # what is recorded in training is of augmented images, with dropout, and before the steps that follow
    "fitted": Measure("accuracy on the training images", _fitted, "share"),
    "gap": Measure("accuracy on training images less that on validation images", _gap, "share"),
    "final_gap": Measure("accuracy in training less that in validation, at the end", _final_gap, "share"),
    "loss": Measure("validation loss at the end", lambda run: run.last("val/loss")),
    "training_loss": Measure("training loss at the end", lambda run: run.last("train/loss")),
    "best_loss": Measure("least validation loss", _best_loss),
    "loss_rise": Measure("rise of the validation loss from its minimum to the end", _loss_rise),
    "calibration_error": Measure("calibration error at the end", _calibration_error, "share"),
    "parameters": Measure("parameters", _parameters, "count"),
    "seconds": Measure("training time", lambda run: run.report.get("training_seconds"), "seconds"),
}
