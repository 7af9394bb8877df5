"""What a network does for the first time takes long where it is compiled: done before the clock starts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from visionlab.data.datamodule import ImageDataModule
from visionlab.models.modes import keeping_modes
from visionlab.training.classifier import Classifier

PASSES = 3  # before a compiled network has settled on its kernels


class WarmUp(Callback):
    """Warms a run up. Only for one process: joined gradients of several cannot be tried out.

    Args:
        channels_last: the memory format of the images.
    """

    def __init__(self, channels_last: bool) -> None:
        self._channels_last = channels_last

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        warm_up(pl_module, datamodule, trainer.precision_plugin.forward_context, self._channels_last)


def warm_up(
    module: Classifier,
    datamodule: ImageDataModule[Any],
    precision: Callable[[], AbstractContextManager[Any]],
    channels_last: bool,
) -> None:
    """Pass images of noise forward and backward, in the sizes of training and validation, and leave no trace.

    Weights, statistics of normalisation, gradients, random numbers, and which layers are in training and which in
    evaluation, are afterwards what they were before.

    Args:
        precision: gives the context that the network computes in.
    """
    device, buffers = module.device, [buffer.clone() for buffer in module.buffers()]
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def noise(size: int, shape: tuple[int, int, int]) -> torch.Tensor:
        images = torch.randn(size, *shape, device=device).to(memory_format=layout)
        # a graph for each size: else that of the second one is made for any, and serves all epochs to the last
        torch._dynamo.mark_static(images, [2, 3])
        return images

    with keeping_modes(module), torch.random.fork_rng([device] if device.type == "cuda" else []):
        for shape in datamodule.train_shapes:
            images = noise(datamodule.train_batch_size // getattr(module, "parts", 1), shape)
            targets = torch.arange(len(images), device=device) % len(datamodule.classes)
            for _ in range(PASSES):
                with precision():
                    loss = module.loss(module(images), targets)
                loss.backward()
        module.eval()
        for size in _validation_sizes(datamodule):
            with torch.inference_mode(), precision():
                # made in here, as those of validation are: a graph takes either these or others
                images = noise(size, datamodule.image_shape)
                for _ in range(PASSES):
                    module(images)
    for buffer, before in zip(module.buffers(), buffers, strict=True):
        buffer.copy_(before)
    module.zero_grad()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _validation_sizes(datamodule: ImageDataModule[Any]) -> list[int]:
    """Images in a batch of validation, and in its last one."""
    if not datamodule.has_validation:
        return []
    size, count = datamodule.config.eval_batch_size, datamodule.sizes["val"]
    return [number for number in dict.fromkeys((min(size, count), count % size)) if number]
