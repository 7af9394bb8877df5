"""How far a metric may be off: every number here was worked out by hand or comes from a textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest

from visionlab.reproduction.tolerance import (
    Range,
    effective_images,
    images_behind,
    relative_error,
    tolerances,
    wilson,
)
from visionlab.tracking.predictions import Predictions

# of 100 images of class 0 90 are right, of 300 of class 1 270
CONFUSION = np.array([[90, 10], [30, 270]])


@pytest.mark.parametrize(
    ("share", "images", "low", "high"),
    [
        # (0.9 + 3.8415 / 200) / 1.038415 = 0.88521; 1.96 / 1.038415 * sqrt(0.9 * 0.1 / 100 + 3.8415 / 40000) = 0.05957
        (0.9, 100, 0.82564, 0.94478),
        # z² / (n + z²) = 3.8415 / 363.8415 is left below 1
        (1.0, 360, 1 - 3.8415 / 363.8415, 1.0),
        (0.0, 10, 0.0, 3.8415 / 13.8415),
        # Newcombe 1998, table I: 81 of 263
        (81 / 263, 263, 0.2553, 0.3662),
    ],
)
def test_wilsons_interval(share: float, images: int, low: float, high: float) -> None:
    found = wilson(share, images)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert found.holds(share)


def test_the_ends_of_a_range_are_in_it() -> None:
    assert [Range(0.25, 0.5).holds(value) for value in (0.2499, 0.25, 0.5, 0.5001)] == [False, True, True, False]


def test_a_mean_of_shares_is_worth_as_many_images_as_its_rarest_classes_let_it() -> None:
    assert effective_images(np.array([50] * 10)) == pytest.approx(500)  # balanced: all of them
    assert effective_images(np.array([300, 100])) == pytest.approx(300)  # 4 / (1/300 + 1/100)
    assert effective_images(np.array([100, 0, 100])) == pytest.approx(200)  # a class that does not occur


@pytest.mark.parametrize(
    ("name", "of_class_1", "of_both"),
    [
        ("accuracy", 400, 400),
        ("top5_accuracy", 400, 400),
        ("recall", 300, 300),
        ("f1", 300, 300),
        ("precision", 280, 4 / (1 / 120 + 1 / 280)),
        ("specificity", 100, 300),
        ("false_positive_rate", 100, 300),
        ("roc_auc", 100, 4 / (1 / 100 + 1 / 100)),
    ],
)
def test_what_a_metric_is_a_share_of(name: str, of_class_1: float, of_both: float) -> None:
    assert images_behind(name, CONFUSION, positive=1) == pytest.approx(of_class_1)
    assert images_behind(name, CONFUSION, positive=None) == pytest.approx(of_both)


def test_the_spread_of_a_loss_is_that_of_its_images() -> None:
    # log losses 1 and 3: mean 2, standard deviation sqrt(2)
    likely = np.exp([-1.0, -3.0])
    two = Predictions(np.stack([likely, 1 - likely], axis=1).astype(np.float32), np.array([0, 0]))
    assert relative_error(two) == pytest.approx(math.sqrt(2) / 2, rel=1e-5)
    # of 400 images like these: 1.96 * 0.7071 / 20 = 6.93 % to either side, of whatever the loss is
    found = tolerances({"loss": 0.5}, CONFUSION, None, two)["loss"]
    assert found == (pytest.approx(0.5 * (1 - 0.069296), rel=1e-5), pytest.approx(0.5 * (1 + 0.069296), rel=1e-5))


def test_the_calibration_error_varies_as_the_accuracy() -> None:
    found = tolerances({"accuracy": 0.9, "calibration_error": 0.05}, CONFUSION, None, None)
    half = (found["accuracy"].high - found["accuracy"].low) / 2
    assert half == pytest.approx(0.0295, abs=1e-4)
    assert found["calibration_error"] == (pytest.approx(0.05 - half), pytest.approx(0.05 + half))


def test_what_is_undefined_or_no_share_has_no_range() -> None:
    assert tolerances({"roc_auc": None, "loss": 0.5, "unknown": 3.0}, CONFUSION, None, None) == {}


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 20,000 networks that are right on 94 % of all images, tested on 1,000, about 95 % cover that."""
    right = np.random.default_rng(0).binomial(1000, 0.94, 20_000)
    counts = np.bincount(right, minlength=1001)
    covered = sum(int(counts[number]) for number in range(1001) if wilson(number / 1000, 1000).holds(0.94))
    assert covered / 20_000 == pytest.approx(0.95, abs=0.008)
