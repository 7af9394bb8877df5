"""What a network does for the first time takes long where it is compiled: done before the clock starts."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from visionlab.data.datamodule import ImageDataModule
from visionlab.training.classifier import Classifier

PASSES = 3  # before a compiled network has settled on its kernels


class WarmUp(Callback):
    """Passes images of noise forward and backward, in the shapes of training and validation, and leaves no trace.

    Weights, statistics of normalisation, gradients and random numbers are afterwards what they were before. Only for
    one process: joined gradients of several cannot be tried out.

    Args:
        channels_last: the memory format of the images.
    """

    def __init__(self, channels_last: bool) -> None:
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
        size = datamodule.train_batch_size // getattr(pl_module, "parts", 1)
        devices = [pl_module.device] if pl_module.device.type == "cuda" else []
        buffers = [buffer.clone() for buffer in pl_module.buffers()]
        with torch.random.fork_rng(devices):
            for _ in range(PASSES):
                self._forward_backward(trainer, pl_module, datamodule, size)
        for buffer, before in zip(pl_module.buffers(), buffers, strict=True):
            buffer.copy_(before)
        pl_module.zero_grad()
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)

    def _forward_backward(
        self, trainer: pl.Trainer, pl_module: Classifier, datamodule: ImageDataModule[Any], size: int
    ) -> None:
        images = torch.randn(size, *datamodule.image_shape, device=pl_module.device).to(memory_format=self._format)
        targets = torch.arange(size, device=pl_module.device) % len(datamodule.classes)
        with trainer.precision_plugin.forward_context():
            loss = pl_module.loss(pl_module(images), targets)
        loss.backward()
        if datamodule.has_validation:
            pl_module.eval()
            with torch.no_grad(), trainer.precision_plugin.forward_context():
                pl_module(images)
            pl_module.train()
