"""What happens around the training loop: placing the data, recording the curve, keeping the scores."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
from visionlab.training.classifier import Classifier


class PlaceData(Callback):
    """Moves the images to the device that Lightning has chosen for this process."""

    def __init__(self, channels_last: bool) -> None:
        self.channels_last = channels_last

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
        datamodule.place(trainer.strategy.root_device, trainer.global_rank, trainer.world_size, self.channels_last)


class TrainingCurve(Callback):
    """Records the training loss and accuracy as means over `every` steps, and the results of each validation.

    Every value is recorded at the number of steps that were done when it was measured. Training values stay on the
    device until then: one read every `every` steps instead of one a step.
    Attributes:
        latest: the last recorded values.
        images: how many have been trained on, over all processes.
        seconds: from the first step to the last, validation included; 0 until the training has ended.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self.latest: dict[str, float] = {}
        self.images = 0
        self.seconds = 0.0
        self._started: float | None = None
        self._waiting: list[Tensor] = []
        self._epoch_start = (0.0, 0)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_start = (time.perf_counter(), self.images)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._started is None:
            self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # a training_step of one's own may return nothing but the loss
        values: Mapping[str, Tensor] = outputs if isinstance(outputs, Mapping) else {"loss": outputs}
        names = [name for name in ("loss", "accuracy") if name in values]
        self._waiting.append(torch.stack([values[name].detach().float() for name in names]))
        self.images += trainer.datamodule.train_batch_size  # type: ignore[attr-defined]
        epoch_ends = batch_idx + 1 == trainer.num_training_batches
        if trainer.global_step % self.every == 0 or epoch_ends:
            self._record(trainer, names)
        if epoch_ends:
            started, images = self._epoch_start
            self._log(trainer, {"images_per_second": (self.images - images) / (time.perf_counter() - started)})

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self._log(trainer, found | {"epoch": trainer.current_epoch + 1})

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._started is not None:
            self.seconds = time.perf_counter() - self._started

    def _record(self, trainer: pl.Trainer, names: list[str]) -> None:
        means = trainer.strategy.reduce(torch.stack(self._waiting).mean(dim=0), reduce_op="mean")
        self._waiting.clear()
        values = {f"train/{name}": value for name, value in zip(names, means.tolist(), strict=True)}
        self._log(trainer, values | {"lr": trainer.optimizers[0].param_groups[0]["lr"]})

    def _log(self, trainer: pl.Trainer, values: dict[str, float]) -> None:
        self.latest |= values
        if trainer.logger is not None:
            trainer.logger.log_metrics(values, step=trainer.global_step)


class StartShipping(Callback):
    """Starts the shipper once the first step is done, so that importing mlflow delays no first step."""

    def __init__(self, shipper: Shipper) -> None:
        self._shipper = shipper

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        if trainer.is_global_zero:
            self._shipper.start()


class KeepScores(Callback):
    """Writes the test scores into the run's report, from whichever process computed them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        scores = pl_module.scores
        if trainer.is_global_zero and scores is not None:
            datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
            self._run.add_to_report(
                test=scores.summary,
                classes=list(datamodule.classes),
                per_class=scores.per_class,
                confusion=scores.confusion.tolist(),
            )
