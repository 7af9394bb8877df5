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
from visionlab.data.loader import seed_generator
from visionlab.tracking.shipper import Shipper
from visionlab.training.divergence import Divergence


class PlaceData(Callback):
    """Moves the images to the device that Lightning has chosen for this process."""

    def __init__(self, channels_last: bool) -> None:
        self.channels_last = channels_last

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        datamodule: ImageDataModule[Any] = trainer.datamodule  # type: ignore[attr-defined]
        datamodule.place(trainer.strategy.root_device, trainer.global_rank, trainer.world_size, self.channels_last)


class SeedSteps(Callback):
    """Makes what a network draws in a step, such as dropout, a function of the seed, the step and the process.

    So a run that goes on from a checkpoint draws what it would have drawn, and checkpoints need no random state.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # the generator itself: torch.manual_seed goes through all devices, which takes forty times as long
        generator = torch.default_generator
        if pl_module.device.type == "cuda":
            generator = torch.cuda.default_generators[pl_module.device.index]
        seed_generator(generator, self._seed, trainer.global_step, trainer.global_rank)


class ValidateLast(Callback):
    """Has the last epoch validated, too, where the epochs from one validation to the next do not divide their number.

    Otherwise its weights could neither be chosen nor stop the run early, and what was trained last would go unmeasured.

    Args:
        every: epochs from one validation to the next.
    """

    def __init__(self, every: int) -> None:
        self._every = every

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._plan(trainer)  # a run that goes on in the middle of an epoch does not start it

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._plan(trainer)

    def _plan(self, trainer: pl.Trainer) -> None:
        is_last = trainer.current_epoch + 1 == trainer.max_epochs
        # Lightning reads it when the steps of an epoch are done
        trainer.check_val_every_n_epoch = 1 if is_last else self._every


class TrainingCurve(Callback):
    """Records the training loss and accuracy as means over `every` steps, and the results of each validation.

    Every value is recorded at the number of steps that were done when it was measured. Training values stay on the
    device until then: one read every `every` steps instead of one a step. Steps whose loss is not finite do not count.

    Args:
        every: steps.
        divergence: knows the gradient's norm; comes before this in the list of callbacks.

    Attributes:
        latest: the last recorded values.
        images: how many have been trained on, over all processes.
        seconds: from the first step to the last, validation included and pauses left out; 0 until the end.
    """

    def __init__(self, every: int, divergence: Divergence) -> None:
        self.every = every
        self.latest: dict[str, float] = {}
        self.images = 0
        self.seconds = 0.0
        self._divergence = divergence
        self._started: float | None = None
        self._before = 0.0
        self._waiting: list[Tensor] = []
        self._epoch_start = (0.0, 0)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._epoch_start = (time.perf_counter(), self.images)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._started is None:
            self._started = time.perf_counter()
            # a run may go on in the middle of an epoch
            self._epoch_start = (self._started, self.images)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # a training_step of one's own may return nothing but the loss
        values: Mapping[str, Tensor] = outputs if isinstance(outputs, Mapping) else {"loss": outputs}
        names = [name for name in ("loss", "accuracy") if name in values]
        norm = self._divergence.norm.float()
        self._waiting.append(torch.stack([*(values[name].detach().float() for name in names), norm]))
        self.images += trainer.datamodule.train_batch_size  # type: ignore[attr-defined]
        epoch_ends = batch_idx + 1 == trainer.num_training_batches
        if trainer.global_step % self.every == 0 or epoch_ends:
            self._record(trainer, [*names, "grad_norm"])
        if epoch_ends:
            started, images = self._epoch_start
            seconds = time.perf_counter() - started
            self._log(trainer, {"images_per_second": (self.images - images) / seconds, "epoch_seconds": seconds})

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self._log(trainer, found | {"epoch": trainer.current_epoch + 1})

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # steps are under way that the host has only asked for
        self.seconds = self.elapsed

    def state_dict(self) -> dict[str, Any]:
        waiting = torch.stack(self._waiting).cpu() if self._waiting else None
        latest = {name: float(value) for name, value in self.latest.items()}
        return {"images": self.images, "seconds": self.elapsed, "latest": latest, "waiting": waiting}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.images, self._before, self.latest = state_dict["images"], state_dict["seconds"], state_dict["latest"]
        self._waiting = [] if state_dict["waiting"] is None else list(state_dict["waiting"])

    @property
    def elapsed(self) -> float:
        """Seconds of training so far."""
        return self._before + (time.perf_counter() - self._started if self._started is not None else 0.0)

    def _record(self, trainer: pl.Trainer, names: list[str]) -> None:
        waiting = torch.stack(self._waiting)
        finite = torch.where(torch.isfinite(waiting), waiting, torch.nan).nanmean(dim=0)
        means = trainer.strategy.reduce(finite, reduce_op="mean")
        self._waiting.clear()
        values = {f"train/{name}": value for name, value in zip(names, means.tolist(), strict=True)}
        if self._divergence.skipped:
            values["train/skipped_steps"] = float(self._divergence.skipped)
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
