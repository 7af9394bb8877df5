"""What a run's network said of each test image: `predictions.npz`."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from visionlab.errors import UserError
from visionlab.tracking.run import Run

FILE_NAME = "predictions.npz"


class Predictions(NamedTuple):
    """Of the N images of the test split, in its order.

    Attributes:
        probabilities: (N, K) float32.
        labels: (N,) int64, the true ones.
    """

    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(N,) int64, the most probable classes."""
        best: np.ndarray = self.probabilities.argmax(axis=1)
        return best


def save(run: Run, probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Keep the predictions of a tested run."""
    file = run.path / FILE_NAME
    part = file.with_name(f".{os.getpid()}.{FILE_NAME}")
    np.savez_compressed(part, probabilities=probabilities, labels=labels)
    part.replace(file)


def load(run: Run) -> Predictions:
    """The predictions of a tested run.

    Raises:
        UserError: it was not tested.
    """
    file = run.path / FILE_NAME
    if not file.exists():
        raise UserError(f"{run.id}: has no {FILE_NAME}; it was not tested, `visionlab resume {run.id}` does that")
    with np.load(file) as content:
        return Predictions(content["probabilities"], content["labels"])
