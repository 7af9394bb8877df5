"""Whether two runs differ on the same images by more than chance: McNemar's test (McNemar 1947) in its exact form.

Only the images that one run alone gets right say anything: of two equally good runs each would have half of them.
Dietterich 1998 found it the test to use where each network can be trained only once. It speaks of the two trained
networks; what other seeds would have given it cannot know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from visionlab.tracking.predictions import Predictions

Array = NDArray[np.float64]


class Discordant(NamedTuple):
    """How many images only one of two runs gets right, and how probable so uneven a share is by chance."""

    first: int
    second: int
    p: float


class Changes(NamedTuple):
    """Differences between two confusion matrices, (K, K) each, rows are true classes.

    Attributes:
        first, second: shares of each row's images.
        p: of McNemar's test for each cell, adjusted for all that could differ.
    """

    first: Array
    second: Array
    p: Array


def exact_mcnemar(first: NDArray[np.int64], second: NDArray[np.int64]) -> Array:
    """Two-sided p-values: of `first` + `second` fair coins, the two numbers or more uneven ones.

    Args:
        first, second: counts of any one shape.
    """
    p: Array = np.minimum(2 * bdtr(np.minimum(first, second), first + second, 0.5), 1.0)
    return p


def mcnemar(first: Predictions, second: Predictions) -> Discordant:
    """The test of equal accuracy."""
    right, also = first.predicted == first.labels, second.predicted == second.labels
    counts = np.array([(right & ~also).sum(), (also & ~right).sum()])
    return Discordant(int(counts[0]), int(counts[1]), float(exact_mcnemar(counts[:1], counts[1:])[0]))


def changes(first: Predictions, second: Predictions) -> Changes:
    """What of each class went to each class in both runs, with a test of every cell.

    A cell counts the images of one class that a run takes for another, or for the same; the test is McNemar's on the
    images that only one of the runs has in the cell. Of many tests some come out low by chance: hence the adjustment.
    """
    classes = first.probabilities.shape[1]
    counts = [_confusion(run.labels, run.predicted, classes) for run in (first, second)]
    shares = [count / np.maximum(count.sum(axis=1, keepdims=True), 1) for count in counts]
    moved = first.predicted != second.predicted
    only = [_confusion(run.labels[moved], run.predicted[moved], classes) for run in (first, second)]
    p = np.ones((classes, classes))
    testable = only[0] + only[1] > 0
    p[testable] = holm(exact_mcnemar(only[0][testable], only[1][testable]))
    return Changes(shares[0], shares[1], p)


def holm(p: Array) -> Array:
    """The p-values (N,) adjusted so that one below 0.05 arises by chance in one of twenty families (Holm 1979)."""
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def _confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)
