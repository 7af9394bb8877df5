"""What goes on in each layer: norms of gradients and weights, and statistics of activations.

Recorded in the first step, which is the network as it was initialised, and in every so many steps. What is recorded
of a step is of its forward and backward pass, before the weights are changed. Metrics are called
``diagnostics/<what>/<layer>``, layers as in `named_modules`, in the order in which the network uses them:

    grad_norm, weight_norm      of the layer's weight, before clipping
    mean, std, zeros            of all that the layer puts out; zeros is a share: with ReLU, of silent units
    dropped                     of what is given to a dropout layer and is not zero, the share that it makes zero
    dropped_in_evaluation       the same in validation, where dropout is off

Between these steps nothing is hooked, so they cost nothing; in them everything stays on the device and is read once.
Of several processes the first records its own share of the batch, but gradients are those of all together. With
gradient accumulation activations are those of the last part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from visionlab.config.diagnostics import DiagnosticsConfig

PREFIX = "diagnostics/"
Report = Callable[[str, Tensor], None]


class Diagnostics(Callback):
    """Records what the configuration asks for; stands before what takes gradients away."""

    def __init__(self, config: DiagnosticsConfig) -> None:
        self._config = config
        self._found: dict[str, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._config.activations and self._is_recorded(trainer):
            self._handles = _watch(_network(pl_module), self._note, "dropped")

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        if not self._config.gradients or not self._is_recorded(trainer):
            return
        for name, layer in _network(pl_module).named_modules():
            weight = getattr(layer, "weight", None)
            if isinstance(weight, Tensor) and weight.ndim >= 2 and weight.grad is not None:
                self._note(f"grad_norm/{name}", torch.linalg.vector_norm(weight.grad))
                self._note(f"weight_norm/{name}", torch.linalg.vector_norm(weight.detach()))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._record(trainer)

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self._config.activations and batch_idx == 0 and trainer.logger is not None:
            dropouts = (nn.Dropout, nn.Dropout2d)
            self._handles = _watch(_network(pl_module), self._note, "dropped_in_evaluation", dropouts)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._record(trainer)

    def _is_recorded(self, trainer: pl.Trainer) -> bool:
        step = trainer.global_step + 1  # the one that is being done
        return trainer.logger is not None and (step == 1 or step % self._config.every == 0)

    def _note(self, name: str, value: Tensor) -> None:
        self._found[f"{PREFIX}{name}"] = value.detach().float()

    def _record(self, trainer: pl.Trainer) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._found and trainer.logger is not None:
            values = torch.stack([*self._found.values()]).tolist()
            trainer.logger.log_metrics(dict(zip(self._found, values, strict=True)), step=trainer.global_step)
            self._found.clear()


def _watch(
    network: nn.Module, note: Report, dropped: str, kinds: tuple[type[nn.Module], ...] = (nn.Module,)
) -> list[RemovableHandle]:
    """Have the layers of some kinds that have no layers within tell what they put out in the next forward passes."""
    handles = []
    for name, layer in network.named_modules():
        if next(layer.children(), None) is None and isinstance(layer, kinds) and not isinstance(layer, nn.Flatten):
            handles.append(layer.register_forward_hook(_hook(name, note, dropped)))
    return handles


def _hook(name: str, note: Report, dropped: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
    def hook(layer: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        if not isinstance(out, Tensor) or not out.is_floating_point():
            return
        out = out.detach().float()
        if isinstance(layer, nn.Dropout | nn.Dropout2d):
            there = given[0].detach() != 0
            note(f"{dropped}/{name}", ((out == 0) & there).sum() / there.sum().clamp(min=1))
            if not layer.training:
                return
        note(f"mean/{name}", out.mean())
        note(f"std/{name}", out.std(correction=0))
        note(f"zeros/{name}", (out == 0).float().mean())

    return hook


def _network(pl_module: pl.LightningModule) -> nn.Module:
    network: nn.Module = pl_module.network  # type: ignore[assignment]
    return network
