"""What a run takes for what in validation, and how many images of each class it has been trained on."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from visionlab.labs import networks
from visionlab.labs.trained import Trained

TABLE = "validation_confusion_matrix.json"


def confusion(run: Trained) -> NDArray[np.int64] | None:
    """(K, K) counts of validation images at the epoch that was chosen, rows are true classes; None without them."""
    file = run.run.path / "tables" / TABLE
    if not file.exists():
        return None
    rows = json.loads(file.read_text(encoding="utf-8"))["data"]
    return np.array([row[1:] for row in rows], dtype=np.int64)


def recalls(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K,) of each class the share of its images that are right; NaN of a class without images."""
    totals = counts.sum(axis=1)
    found: NDArray[np.float64] = np.where(totals > 0, counts.diagonal() / np.maximum(totals, 1), np.nan)
    return found


@lru_cache(1000)  # the data set is read for it, and several measures and pictures ask
def training_sizes(run: Trained) -> NDArray[np.int64]:
    """(K,) training images of each class."""
    return np.asarray(networks.load(run).data.class_counts, dtype=np.int64)


def weighted_accuracy(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    """The accuracy on a set whose classes have these sizes, if each keeps its recall.

    It is the mean of the recalls weighted by the sizes; with equal sizes it is balanced accuracy.

    Args:
        counts: (K, K), rows are true classes.
        sizes: (K,), not all 0.
    """
    return float(np.average(recalls(counts), weights=sizes))
