"""Lookahead: slow weights that follow the fast ones, which begin anew from them every few steps.

Papers: Zhang et al. 2019, Lookahead optimizer: k steps forward, 1 step back; Jordan 2024, "94% on CIFAR-10 in 3.29
seconds on a single GPU", for slow weights that follow ever more slowly towards the end of training.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

DECAY = 0.95  # of a step at the end of training, by which the slow weights stay where they are


class SlowWeights:
    """Weights that follow those of a network.

    Every `every` steps, at the end of each epoch and in the last step the network is set to them, so that they are what
    is validated and tested. Before that they have moved: in step t of T by the share 1 - DECAY^every (t / T)^3 of the
    way to the network's. In the last step they do not move any more. Running statistics of normalisation are averaged
    too.

    Args:
        network: whose weights they begin with.
        every: steps.
        total: T.
        tensors: those of a run that goes on.
    """

    def __init__(self, network: nn.Module, every: int, total: int, tensors: list[Tensor] | None = None) -> None:
        self._network, self._every, self._total = network, every, total
        fast = self._fast()
        self.tensors = [slow.to(one.device) for slow, one in zip(tensors or fast, fast, strict=True)]
        if not tensors:
            self.tensors = [one.detach().clone() for one in fast]

    @torch.no_grad()
    def follow(self, step: int, ends_epoch: bool) -> None:
        """Take notice that a step was done; the first is 1."""
        is_last = step >= self._total
        if step % self._every and not ends_epoch and not is_last:
            return
        fast = self._fast()
        if not is_last:
            torch._foreach_lerp_(self.tensors, fast, 1 - DECAY**self._every * (step / self._total) ** 3)
        torch._foreach_copy_(fast, self.tensors)

    def _fast(self) -> list[Tensor]:
        """The network's weights and statistics, in an order that is always the same."""
        return [tensor for tensor in self._network.state_dict().values() if tensor.is_floating_point()]


class Lookahead(Callback):
    """Gives a run slow weights, which are what is validated and tested.

    Args:
        every: steps.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._slow: SlowWeights | None = None
        self._restored: list[Tensor] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = pl_module.network
        assert isinstance(network, nn.Module)
        total = int(trainer.estimated_stepping_batches)
        self._slow = SlowWeights(network, self._every, total, self._restored)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert self._slow is not None
        self._slow.follow(trainer.global_step, batch_idx + 1 == trainer.num_training_batches)

    def state_dict(self) -> dict[str, Any]:
        return {"slow": self._slow.tensors if self._slow is not None else self._restored}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict["slow"]
