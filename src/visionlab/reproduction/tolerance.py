"""How far a metric may be off and still say the same: as far as the original itself could be, given its images.

Rounding differs with the machine and the versions of libraries, and training amplifies it until two runs differ as if
they had different seeds. What can then be asked is whether the second run supports what could be claimed of the first
one: whether its value lies in the first one's 95 % interval for the number of images that it was measured on. McNemar's
test on the same images, which the report also gives, is the sharper question whether the two networks differ at all.

- A share of images has Wilson's interval (Wilson 1927), which also holds near 0 and 1 and for few images.
- A rate of one class is a share of the images below its line: of the class, of those taken for it, or of all others.
  The area under an ROC curve varies at most as a share of the rarer kind does (Birnbaum and Klose 1957); F1 is taken
  for a share of its class.
- A mean over classes varies as a share of `effective_images`.
- The calibration error compares shares with confidences; it varies as the accuracy in it.
- A loss is a mean over images; its standard error is that of the images' log losses, in relation to their mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionlab.comparison.measures import is_percentage
from visionlab.tracking.predictions import Predictions

Z = 1.959963984540054  # standard deviations to either side that hold 95 % of a normal distribution

Counts = NDArray[np.int64]


class Range(NamedTuple):
    """The values that are within tolerance, both ends included."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def wilson(share: float, images: float) -> Range:
    """The 95 % interval of a share of so many images."""
    share = min(max(share, 0.0), 1.0)  # means of shares may be off by a rounding
    below = 1 + Z**2 / images
    centre = (share + Z**2 / (2 * images)) / below
    half = Z / below * math.sqrt(share * (1 - share) / images + Z**2 / (4 * images**2))
    # at 0 and 1 one end is the share itself, but for rounding
    return Range(max(min(centre - half, share), 0.0), min(max(centre + half, share), 1.0))


def effective_images(counts: Counts) -> float:
    """How many images a mean of K shares is worth, of `counts` (K,) images each: K² / Σ 1/n.

    The variance of the mean of shares p of n images each is Σ p (1 - p) / n / K². Classes without images do not count.
    """
    some = counts[counts > 0]
    return float(len(some) ** 2 / (1 / some).sum()) if len(some) else 1.0


def images_behind(name: str, confusion: Counts, positive: int | None) -> float:
    """The number of images that a metric is a share of.

    Args:
        confusion: (K, K), rows are true classes.
        positive: of two classes the one whose rates are reported; None for means over classes.
    """
    every, of_class = int(confusion.sum()), confusion.sum(axis=1)
    match name:
        case "precision":
            counts = confusion.sum(axis=0)
        case "recall" | "f1":
            counts = of_class
        case "specificity" | "false_positive_rate":
            counts = every - of_class
        case "roc_auc":
            counts = np.minimum(of_class, every - of_class)
        case _:
            return every
    return float(max(counts[positive], 1)) if positive is not None else effective_images(counts)


def relative_error(predictions: Predictions) -> float:
    """The standard error of the mean log loss of N images for one image, in relation to the mean: to divide by √N."""
    likely = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    losses = -np.log(np.maximum(likely, np.finfo(np.float32).tiny).astype(np.float64))
    mean = float(losses.mean())
    return float(losses.std(ddof=1)) / mean if mean > 0 and len(losses) > 1 else 0.0


def tolerances(
    values: Mapping[str, Any], confusion: Counts, positive: int | None, predictions: Predictions | None
) -> dict[str, Range]:
    """The range of each metric that has one.

    Args:
        values: of the original, on one split.
        confusion: (K, K) of that split.
        predictions: of the original, on that split or another one: the spread of its losses is taken for this one's.
    """
    images = int(confusion.sum())
    ranges = {}
    for name, value in values.items():
        if value is None:
            continue
        if name == "calibration_error":
            low, high = wilson(values["accuracy"], images)
            ranges[name] = Range(value - (high - low) / 2, value + (high - low) / 2)
        elif is_percentage(name):
            ranges[name] = wilson(value, images_behind(name, confusion, positive))
        elif name == "loss" and predictions is not None:
            half = Z * relative_error(predictions) / math.sqrt(images) * value
            ranges[name] = Range(value - half, value + half)
    return ranges
