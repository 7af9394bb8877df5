"""Frozen stages, gradual unfreezing, learning rates by stage, and batch statistics that stay as they are.

Papers: Howard and Ruder 2018, Universal language model fine-tuning (gradual unfreezing, section 3.3; rates by layer,
section 3.2).
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.optim import Optimizer

from visionlab.config.adapt import AdaptConfig
from visionlab.config.suggest import did_you_mean
from visionlab.errors import UserError
from visionlab.models.stages import HEAD, Stage, stages


def frozen_stages(config: AdaptConfig, network: nn.Module) -> list[Stage]:
    """The stages that do not learn at first, from the images on.

    Raises:
        UserError: the network has no such stage, or none besides its head.
    """
    if config.freeze == "none":
        return []
    body = [stage for stage in stages(network) if stage.name != HEAD]
    names = [stage.name for stage in body]
    if not body:
        raise UserError(f"adapt.freeze: expected none, as the network is a head alone, given {config.freeze}")
    if config.freeze == "backbone":
        return body
    wanted = config.freeze.partition(":")[2]
    if wanted not in names:
        more = did_you_mean(wanted, names)
        raise UserError(f"adapt.freeze: expected until: and one of {', '.join(names)}, given {wanted!r}{more}")
    return body[: names.index(wanted) + 1]


def scale_rates(optimizer: Optimizer, network: nn.Module, decay: float) -> None:
    """Multiply the learning rate of each stage by `decay` once for every stage between it and the head, and once more.

    The groups of the optimizer are parted by that; those with the full rate come first.
    """
    factors = {
        parameter: decay**distance
        for distance, stage in enumerate(reversed(stages(network)))
        for parameter in stage.parameters
    }
    parted: list[tuple[float, dict[str, Any]]] = []
    for group in optimizer.param_groups:
        by_factor: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_factor.setdefault(factors.get(parameter, 1.0), []).append(parameter)
        parted += [(f, group | {"params": members, "lr": group["lr"] * f}) for f, members in by_factor.items()]
    optimizer.param_groups[:] = [group for _, group in sorted(parted, key=lambda part: -part[0])]


class Freezing(Callback):
    """Keeps stages as they are: no gradient, so no state of the optimizer either, and nothing of training in them.

    A frozen stage is in evaluation mode as a whole: its batch normalisation neither uses nor updates the statistics of
    the batch, and nothing in it is dropped. Those that are set free later have their place among the optimizer's groups
    from the start, so that a run that goes on finds the same groups whenever it was stopped.

    Args:
        config: which stages, and when they are set free.
    """

    def __init__(self, config: AdaptConfig) -> None:
        self._config = config
        self._frozen: list[tuple[Stage, list[nn.Parameter]]] = []  # with the parameters that would learn

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        network: nn.Module = pl_module.network  # type: ignore[assignment]
        self._frozen = [
            (part, [parameter for parameter in part.parameters if parameter.requires_grad])
            for part in frozen_stages(self._config, network)
        ]
        if self._config.unfreeze_every is None:
            for _, learning in self._frozen:  # before the optimizer is made, which leaves them out then
                _set(learning, requires_grad=False)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._apply(trainer.current_epoch, pl_module)  # a run that goes on in the middle of an epoch does not start it

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._apply(trainer.current_epoch, pl_module)

    def _apply(self, epoch: int, pl_module: pl.LightningModule) -> None:
        every = self._config.unfreeze_every
        count = len(self._frozen) - (0 if every is None else epoch // every)
        for number, (_, learning) in enumerate(self._frozen):
            _set(learning, requires_grad=number >= count)
        if self._frozen:
            still = {parameter for part, _ in self._frozen[: max(count, 0)] for parameter in part.parameters}
            pl_module.train()
            for module in pl_module.modules():
                # also what holds several stages: it may itself draw at random between them
                if (own := list(module.parameters())) and still.issuperset(own):
                    module.eval()
        if self._config.batch_norm == "frozen":
            for module in pl_module.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()


def _set(parameters: list[nn.Parameter], requires_grad: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(requires_grad)
        if not requires_grad:
            parameter.grad = None
