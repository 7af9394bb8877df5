"""What happens when the loss is no longer a number."""

from __future__ import annotations

import hashlib
import math
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from visionlab.data.loader import DeviceLoader
from visionlab.errors import UserError


class DivergedError(UserError):
    """The loss or the gradient is NaN or infinite."""


class Divergence(Callback):
    """Stops a run whose loss is not finite, or skips such steps and counts them.

    Without `skip` the loss is read at once on a CPU, elsewhere every `every` steps, so that nobody waits for a GPU; the
    first bad step is named all the same. With `skip` weights, buffers (those of batch normalisation) and the
    optimizer's state stay as they were: the gradients are taken away before the step, after those of all processes were
    joined.

    Attributes:
        norm: of all gradients of the last step together, before clipping.
        skipped: how many steps.
    """

    def __init__(self, action: Literal["stop", "skip"], every: int) -> None:
        self._action, self._every = action, every
        self.norm = torch.zeros(())
        self.skipped = 0
        self._waiting: list[Tensor] = []
        self._last_norm = math.nan
        self._buffers: list[Tensor] = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._action == "skip":
            self._buffers = [buffer.clone() for buffer in pl_module.buffers()]

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
        self.norm = torch.nn.utils.get_total_norm(gradients)
        # with a gradient scaler infinite gradients are a matter of course, and it skips them itself
        if self._action == "skip" and trainer.precision != "16-mixed" and not torch.isfinite(self.norm):
            self.skipped += 1
            for weight in pl_module.parameters():
                weight.grad = None
            for buffer, before in zip(pl_module.buffers(), self._buffers, strict=True):
                buffer.copy_(before)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._action == "skip":
            return
        loss = (outputs["loss"] if isinstance(outputs, dict) else outputs).detach().float()
        # the joined gradients of all processes tell each of them of a bad loss in any
        norm = loss if trainer.precision == "16-mixed" else self.norm.float()
        self._waiting.append(torch.stack([loss, norm]))
        at_once = loss.device.type == "cpu" and trainer.world_size == 1
        if at_once or trainer.global_step % self._every == 0 or batch_idx + 1 == trainer.num_training_batches:
            self._check(trainer, batch_idx)

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": self.skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.skipped = state_dict["skipped"]

    def _check(self, trainer: pl.Trainer, batch_idx: int) -> None:
        values = torch.stack(self._waiting)  # (steps, 2): loss, norm
        self._waiting.clear()
        for back, (loss, norm) in zip(range(len(values) - 1, -1, -1), values.tolist(), strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise DivergedError(
                    f"training: the loss is {loss:.4g} and the norm of its gradient {norm:.4g} at step "
                    f"{trainer.global_step - back} (epoch {trainer.current_epoch + 1}, batch "
                    f"{_fingerprint(trainer, batch_idx - back)}); the last norm before was {self._last_norm:.4g}. "
                    "Lower optimizer.lr, set trainer.gradient_clip, or leave such steps out with trainer.nonfinite=skip"
                )
            self._last_norm = norm


def _fingerprint(trainer: pl.Trainer, batch_idx: int) -> str:
    """Of the indices of the images in a batch of this epoch, in their order."""
    loader = trainer.train_dataloader
    assert isinstance(loader, DeviceLoader)
    return hashlib.sha256(loader.indices(batch_idx).numpy().tobytes()).hexdigest()[:12]
