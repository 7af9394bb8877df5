"""Ends a run of a campaign that is not worth more time."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from visionlab.errors import PrunedRun
from visionlab.tracking.member import is_to_be_pruned
from visionlab.tracking.run import Run

SECONDS_BETWEEN_LOOKS = 0.2


class Pruning(Callback):
    """Ends the run when it was told to, within a step; several processes agree on it after a validation.

    Raises:
        PrunedRun: in training.
    """

    def __init__(self, run: Run | None) -> None:
        self._run = run
        self._looked = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        now = time.monotonic()
        if trainer.world_size == 1 and now - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked = now
            self._stop_if(self._requested())

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_if(bool(trainer.strategy.reduce_boolean_decision(self._requested(), all=False)))

    def _requested(self) -> bool:
        return self._run is not None and is_to_be_pruned(self._run)

    def _stop_if(self, told: bool) -> None:
        if told:
            raise PrunedRun
