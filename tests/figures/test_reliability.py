"""The calibration error is the one that runs report, and the title says which way the network errs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from tests.figures.made import make_predictions, read_table, read_title
from visionlab.figures.reliability import BINS, calibration, save_reliability
from visionlab.training.metrics import CALIBRATION_BINS, ClassifierMetrics


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("scale", [0.3, 1.0, 40.0])  # of the logits: with the greatest many confidences are exactly 1
def test_the_error_is_that_of_the_runs_metrics(classes: int, scale: float) -> None:
    probabilities, labels = make_predictions(classes, 2000, 1.5)
    logits = scale * torch.from_numpy(probabilities).log()
    metrics = ClassifierMetrics(nn.CrossEntropyLoss(), classes, 5, positive=None)
    metrics.update(logits, torch.from_numpy(labels), torch.arange(2000))
    scores = metrics.compute()
    found = calibration(scores.probabilities.numpy(), labels)
    assert BINS == CALIBRATION_BINS
    assert found.error == pytest.approx(scores.summary["calibration_error"], abs=1e-5)
    assert (scores.probabilities.max() == 1) == (scale == 40)


def test_a_confidence_of_exactly_1_is_a_bin_of_its_own_as_in_the_runs_metrics() -> None:
    probabilities = np.repeat(np.float32([[1, 0], [0.95, 0.05]]), 100, axis=0)
    labels = np.concatenate([np.arange(100) >= 90, np.zeros(100)]).astype(int)
    theirs = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), 2, n_bins=CALIBRATION_BINS
    )
    assert calibration(probabilities, labels).error == pytest.approx(float(theirs), abs=1e-6)
    assert float(theirs) == pytest.approx(0.5 * 0.1 + 0.5 * 0.05, abs=1e-6)


def test_the_error_can_be_had_from_the_table(tmp_path: Path) -> None:
    probabilities, labels = make_predictions(5, 1000, 1.5)
    _, table = save_reliability(probabilities, labels, tmp_path)
    bins = [[float(cell) for cell in row] for row in read_table(table)[1:] if row[2] != "0"]
    assert sum(images for _, _, images, _, _ in bins) == 1000
    assert all(low <= confidence <= high for low, high, _, confidence, _ in bins)
    error = sum(images / 1000 * abs(confidence - accuracy) for _, _, images, confidence, accuracy in bins)
    assert error == pytest.approx(calibration(probabilities, labels).error, abs=1e-5)


@pytest.mark.parametrize(
    ("confidence", "right", "title"),
    [
        (0.9, 60, "Overconfident: ECE 30.0 %"),
        (0.6, 90, "Underconfident: ECE 30.0 %"),
        (0.8, 80, "Well calibrated: ECE 0.0 %"),
    ],
)
def test_the_title_says_which_way_the_network_errs(confidence: float, right: int, title: str, tmp_path: Path) -> None:
    probabilities = np.tile(np.float32([confidence, 1 - confidence]), (100, 1))
    picture, _ = save_reliability(probabilities, (np.arange(100) >= right).astype(int), tmp_path)
    assert read_title(picture) == title


def test_errors_both_ways_are_said_to_be_both(tmp_path: Path) -> None:
    probabilities = np.repeat(np.float32([[0.9, 0.1], [0.6, 0.4]]), 100, axis=0)
    labels = np.concatenate([np.arange(100) >= 70, np.arange(100) >= 80]).astype(int)
    picture, _ = save_reliability(probabilities, labels, tmp_path)
    assert read_title(picture) == "Overconfident in places, underconfident in others: ECE 20.0 %"
