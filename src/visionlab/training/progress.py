"""What training shows: a bar on a terminal, and a line for each epoch everywhere."""

from __future__ import annotations

import sys
import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from tqdm import tqdm

from visionlab.training.callbacks import TrainingCurve

_BAR = "{desc} {percentage:3.0f}% |{bar:24}| {elapsed}<{remaining}{postfix}"


class Progress(Callback):
    """Shows loss, accuracy, images per second and the time left. Only the first process shows anything."""

    def __init__(self, curve: TrainingCurve) -> None:
        self._curve = curve
        self._bar: tqdm[Any] | None = None
        self._started, self._images = 0.0, 0
        self._shown = 0.0
        self._validated = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started, self._images = time.perf_counter(), self._curve.images
        if trainer.is_global_zero and sys.stderr.isatty():
            total = int(trainer.estimated_stepping_batches)
            self._bar = tqdm(total=total, bar_format=_BAR, leave=False, dynamic_ncols=True)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        now = time.perf_counter()
        # drawing costs more than a small step: ten times a second is enough for the eye
        if self._bar is None or now - self._shown < 0.1:
            return
        self._shown = now
        rate = (self._curve.images - self._images) / (now - self._started)
        latest = self._curve.latest
        self._bar.set_description_str(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", refresh=False)
        self._bar.set_postfix_str(
            f"loss {latest.get('train/loss', float('nan')):.3f}, "
            f"accuracy {latest.get('train/accuracy', float('nan')):.1%}, {rate:,.0f} images/s",
            refresh=False,
        )
        self._bar.n = trainer.global_step
        self._bar.refresh()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        width = len(str(trainer.max_epochs))
        parts = [f"epoch {trainer.current_epoch + 1:>{width}}/{trainer.max_epochs}"]
        latest = self._curve.latest
        parts.append(f"train loss {latest['train/loss']:6.3f}")
        if "train/accuracy" in latest:
            parts.append(f"accuracy {latest['train/accuracy']:6.1%}")
        if self._validated:
            self._validated, scores = False, trainer.callback_metrics
            parts.append(f"| val loss {scores['val/loss']:6.3f}  accuracy {scores['val/accuracy']:6.1%}")
        parts.append(f"| {self._curve.elapsed:6.1f} s")
        tqdm.write("  ".join(parts), file=sys.stdout)
        sys.stdout.flush()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
