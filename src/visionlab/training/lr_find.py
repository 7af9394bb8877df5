"""The learning-rate range test (Smith 2017, "Cyclical learning rates for training neural networks", section 3.3)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from visionlab import project
from visionlab.config.optimizer import ExponentialConfig
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.figures.lr_find import save_lr_find
from visionlab.training import hardware
from visionlab.training.adaptation import Freezing
from visionlab.training.build import build_data, build_module
from visionlab.training.callbacks import PlaceData
from visionlab.training.features import CacheFeatures
from visionlab.training.fitting import common_arguments
from visionlab.training.quiet import quieten
from visionlab.training.starting import initialize

STEPS = 200
LOWEST, HIGHEST = 1e-4, 1e3  # as factors of optimizer.lr
DIVERGED = 4.0  # times the lowest smoothed loss
SMOOTHING = 0.9


def find_lr(config: TrainConfig) -> tuple[float, Path]:
    """Train while all learning rates rise together; suggest the `optimizer.lr` at which the loss falls fastest.

    Returns:
        The suggestion, and the picture of the curve.

    Raises:
        UserError: the loss never fell.
    """
    quieten()
    config = config.model_copy(
        update={
            "trainer": hardware.resolve(hardware.for_any_machine(config.trainer)),
            "debug": False,
            "data": config.data.in_full_size(),
            "schedule": ExponentialConfig(start_factor=LOWEST, end_factor=HIGHEST),
        }
    )
    pl.seed_everything(config.seed, verbose=False)
    datamodule = build_data(config)
    module = build_module(config, datamodule)
    initialize(config, module, datamodule)
    if config.trainer.channels_last:
        module.network.to(memory_format=torch.channels_last)
    test = RangeTest()
    caching = [CacheFeatures(config)] if config.adapt.cache_features else []
    trainer = pl.Trainer(
        **common_arguments(config, module),
        callbacks=[PlaceData(bool(config.trainer.channels_last)), Freezing(config.adapt), *caching, test],
        logger=False,
        enable_checkpointing=False,
        max_epochs=-1,
        max_steps=STEPS,
        limit_val_batches=0,
        gradient_clip_val=config.trainer.gradient_clip,
    )
    trainer.fit(module, datamodule=datamodule)
    rates = config.optimizer.lr * np.asarray(test.factors)
    losses = np.asarray(test.smoothed)
    best = steepest(rates, losses)
    return float(rates[best]), save_lr_find(rates, losses, best, project.runs() / f"lr-find-{config.name}.png")


class RangeTest(Callback):
    """Records the smoothed loss after each step and stops when it has diverged."""

    def __init__(self) -> None:
        self.factors: list[float] = []
        self.smoothed: list[float] = []
        self._average = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done = len(self.smoothed)
        loss = float(outputs["loss"])
        self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        smoothed = self._average / (1 - SMOOTHING ** (done + 1))
        if not math.isfinite(smoothed) or (self.smoothed and smoothed > DIVERGED * min(self.smoothed)):
            trainer.should_stop = True
            return
        self.factors.append(LOWEST * (HIGHEST / LOWEST) ** (done / STEPS))
        self.smoothed.append(smoothed)


def steepest(rates: np.ndarray, losses: np.ndarray) -> int:
    """The index at which the loss falls fastest per factor of the learning rate, before its lowest point."""
    end = int(losses.argmin()) + 1 if len(losses) else 0
    if end < 3:
        raise UserError(
            "lr-find: expected a loss that falls at some learning rate, but it only rose; lower optimizer.lr"
        )
    slopes = np.gradient(losses[:end], np.log(rates[:end]))
    return int(slopes.argmin())
