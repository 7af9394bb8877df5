"""A run of one step, worked again by hand: its first weights, its samples, its gradients and its step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionlab.errors import UserError
from visionlab.labs import backprop
from visionlab.labs.backprop import Array, Forward, Weights
from visionlab.labs.trained import Trained
from visionlab.tracking.run import Run

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Worked:
    """What was computed by hand, and what the run came to.

    Attributes:
        activation: of the hidden layer.
        rate: the learning rate.
        labels: (B,).
        start: the run's first weights.
        passed: the forward pass with these.
        gradients: by hand.
        automatic: the same by automatic differentiation.
        trained: the weights after the run's one step.
    """

    activation: str
    rate: float
    labels: NDArray[np.int64]
    start: Weights
    passed: Forward
    gradients: Weights
    automatic: Weights
    trained: Weights

    @property
    def stepped(self) -> Weights:
        """The weights after one step by hand."""
        return backprop.step(self.start, self.gradients, self.rate)

    def loss_at(self, weights: Weights) -> float:
        """The loss of the same samples with other weights."""
        return backprop.forward(weights, self.passed.x, self.labels, self.activation).loss


def work(trained: Trained) -> Worked:
    """Do a run's step again.

    Raises:
        UserError: the run is not of one step over all samples, of a network with one hidden layer.
    """
    return _work(trained.run.path)


@lru_cache(64)
def _work(folder: Path) -> Worked:
    import lightning.pytorch as pl
    import torch

    from visionlab.training import checkpoint_file
    from visionlab.training.build import build_data, build_module
    from visionlab.training.identity import fingerprint

    run = Run(folder)
    config = run.config()
    pl.seed_everything(config.seed, verbose=False)
    data = build_data(config)
    module = build_module(config, data)
    if fingerprint(module.state_dict()) != run.start()["tags"]["weights.start"]:
        raise UserError(f"{run.id}: expected the weights that the run began with, found others")
    batch = next(iter(data.evaluation_loader("train", 1000)))
    network = module.network.double()
    start = {name: array.copy() for name, array in _named(network.state_dict()).items()}
    # the gradients of the same loss by automatic differentiation
    loss = torch.nn.functional.cross_entropy(network(batch.images.double()), batch.targets)
    loss.backward()  # type: ignore[no-untyped-call]
    automatic = _named({name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None})
    content = checkpoint_file.read(run.checkpoint())["state_dict"]
    prefix = "network."
    after = _named({name.removeprefix(prefix): one for name, one in content.items() if name.startswith(prefix)})
    x = batch.images.flatten(1).double().numpy()
    labels = batch.targets.numpy()
    activation = str(config.model.activation)  # type: ignore[union-attr]
    passed = backprop.forward(start, x, labels, activation)
    gradients = backprop.backward(start, passed, labels, activation)
    return Worked(activation, config.optimizer.lr, labels, start, passed, gradients, automatic, after)


def _named(tensors: Mapping[str, Tensor]) -> Weights:
    """The four tensors of the network, in the order in which it computes."""
    found: list[Array] = [tensor.detach().double().numpy() for tensor in tensors.values()]
    if [one.ndim for one in found] != [2, 1, 2, 1]:
        raise UserError("expected a network with one hidden layer")
    return dict(zip(backprop.NAMES, found, strict=True))
