"""What a run's network said of each image: of the test split in `predictions.npz`."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from visionlab.errors import UserError
from visionlab.tracking.run import Run

TEST, VALIDATION = "predictions.npz", "validation_predictions.npz"


class Predictions(NamedTuple):
    """Of the N images of a split, in its order.

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


def save(run: Run, probabilities: np.ndarray, labels: np.ndarray, name: str = TEST) -> None:
    """Keep the predictions of a run on the test split, or those of another split by another file name."""
    file = run.path / name
    part = file.with_name(f".{os.getpid()}.{name}")
    np.savez_compressed(part, probabilities=probabilities, labels=labels)
    part.replace(file)


def load(run: Run, name: str = TEST) -> Predictions:
    """The predictions of a tested run, or those of another split.

    Raises:
        UserError: there are none.
    """
    file = run.path / name
    if not file.exists():
        why = f"; it was not tested, `visionlab resume {run.id}` does that" if name == TEST else ""
        raise UserError(f"{run.id}: has no {name}{why}")
    with np.load(file) as content:
        return Predictions(content["probabilities"], content["labels"])
