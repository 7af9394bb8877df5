"""A perceptron's training sample by sample, replayed by hand: what its weights were after each.

Paper: Rosenblatt 1958. With y = +1 and -1 for the two classes: where y (w x + b) <= 0, w += y x and b += y.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionlab.errors import UserError
from visionlab.labs.trained import Trained
from visionlab.tracking.run import Run

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Replay:
    """A run's way.

    Attributes:
        weights: (T + 1, I + 1), w and b before the first of T samples and after each.
        mistaken: (T,), whether the sample was on the wrong side, or on the line.
    """

    weights: Array
    mistaken: NDArray[np.bool_]

    @property
    def mistakes(self) -> int:
        return int(self.mistaken.sum())

    def last_mistake(self) -> int | None:
        """The number of the last sample that changed the weights, from 1; None where none did."""
        places = np.flatnonzero(self.mistaken)
        return int(places[-1]) + 1 if len(places) else None


def learn(points: Array, labels: NDArray[np.int64], order: NDArray[np.int64]) -> Replay:
    """Rosenblatt's rule on samples one by one, from weights of zero.

    Args:
        points: (N, I).
        labels: (N,), 0 and 1.
        order: (T,), the sample of each step.
    """
    inputs = np.hstack([points, np.ones((len(points), 1))])  # the bias is the weight of an input that is always 1
    weights, mistaken = [np.zeros(inputs.shape[1])], []
    for sample in order:
        x, y = inputs[sample], 2 * labels[sample] - 1
        mistaken.append(bool(y * (weights[-1] @ x) <= 0))
        weights.append(weights[-1] + y * x if mistaken[-1] else weights[-1])
    return Replay(np.array(weights), np.array(mistaken, dtype=bool))


def replay(trained: Trained) -> Replay:
    """Do a run's training again by hand, in the order in which it saw its samples.

    Raises:
        UserError: the weights that come out are not those that the run has come to.
    """
    return _replay(trained.run.path)


@lru_cache(256)
def _replay(folder: Path) -> Replay:
    from visionlab.training import checkpoint_file, checkpoints
    from visionlab.training.build import build_data

    run = Run(folder)
    config = run.config()
    data = build_data(config)
    batch = next(iter(data.evaluation_loader("train", 1000)))
    loader = data.train_dataloader()
    order: list[int] = []
    for epoch in range(config.trainer.max_epochs):
        loader.set_epoch(epoch)
        order += loader.order().tolist()
    found = learn(batch.images.flatten(1).double().numpy(), batch.targets.numpy(), np.array(order))
    newest, _ = checkpoints.newest(run.checkpoints)
    if newest is None:
        raise UserError(f"{run.id}: its last checkpoint is gone")
    state = checkpoint_file.read(newest.file)["state_dict"]
    trained = np.append(state["network.head.weight"].numpy().ravel(), state["network.head.bias"].numpy())
    if not np.allclose(trained, found.weights[-1], atol=1e-5):
        raise UserError(f"{run.id}: expected the weights {found.weights[-1]} by Rosenblatt's rule, found {trained}")
    return found
