"""The networks that runs have come to, to be looked at after their training."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from visionlab.labs.trained import Trained

if TYPE_CHECKING:
    from visionlab.training.loading import LoadedRun

KEPT = 4  # runs in memory


def load(trained: Trained) -> LoadedRun:
    """The network with the weights that validation chose, in evaluation mode, and its data without the test split."""
    return _load(trained.run.id)


@lru_cache(KEPT)
def _load(name: str) -> LoadedRun:
    from visionlab.training.loading import load_run

    return load_run(name)


def accuracy(trained: Trained, split: str) -> float:
    """The share of a split's images, not augmented, that the chosen network has right; dropout is off."""
    import torch

    loaded = load(trained)
    right = seen = 0
    with torch.inference_mode():
        for batch in loaded.data.evaluation_loader(split, 1000):
            right += int((loaded.module(batch.images).argmax(dim=1) == batch.targets).sum())
            seen += len(batch.targets)
    return right / seen if seen else math.nan


def parameters(trained: Trained) -> dict[str, Any]:
    """The trainable weights of the chosen network by name."""
    named = load(trained).module.network.named_parameters()
    return {name: weight.detach() for name, weight in named if weight.requires_grad}
