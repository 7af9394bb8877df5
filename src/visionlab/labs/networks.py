"""The networks that runs have come to, to be looked at after their training."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from visionlab.config.data import AugmentConfig, DataConfig
from visionlab.config.model import ModelConfig
from visionlab.config.train import TrainConfig
from visionlab.labs.trained import Trained

if TYPE_CHECKING:
    from visionlab.data.datamodule import ImageDataModule
    from visionlab.training.loading import LoadedRun

KEPT = 4  # runs in memory
PREFIX = "network."


def load(trained: Trained) -> LoadedRun:
    """The network with the weights that validation chose, in evaluation mode, and its data without the test split."""
    return _load(trained.run.id)


@lru_cache(KEPT)
def _load(name: str) -> LoadedRun:
    from visionlab.training.loading import load_run

    return load_run(name, _data)


def _data(config: TrainConfig) -> ImageDataModule[Any]:
    """The data, read once for all runs that differ in what is not looked at here: augmentation, order, batches."""
    data = config.data.model_copy(update={"augment": AugmentConfig(), "batch_size": 1})
    return _read(data, config.model)  # a network may have a say in the normalisation


@lru_cache(KEPT)
def _read(data: DataConfig, model: ModelConfig) -> ImageDataModule[Any]:
    datamodule: ImageDataModule[Any] = data.load_implementation()(data, seed=0)
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


def accuracy(trained: Trained, split: str) -> float:
    """The share of a split's images, not augmented, that the chosen network has right; dropout is off."""
    return _accuracy(trained.run.id, split)


@cache
def _accuracy(name: str, split: str) -> float:
    """Kept for good: several measures and pictures ask for it, and reading a data set takes long."""
    import torch

    loaded = _load(name)
    right = seen = 0
    with torch.inference_mode():
        for batch in loaded.data.evaluation_loader(split, 1000):
            right += int((loaded.module(batch.images).argmax(dim=1) == batch.targets).sum())
            seen += len(batch.targets)
    return right / seen if seen else math.nan


def parameters(trained: Trained, which: Literal["chosen", "last"] = "chosen") -> dict[str, Any]:
    """Weights and statistics by name, of the network that validation chose or the one at the end of training."""
    from visionlab.training import checkpoint_file, checkpoints

    newest = checkpoints.newest(trained.run.checkpoints)[0] if which == "last" else None
    content = checkpoint_file.read(trained.run.checkpoint() if newest is None else newest.file)["state_dict"]
    return {name.removeprefix(PREFIX): tensor for name, tensor in content.items() if name.startswith(PREFIX)}
