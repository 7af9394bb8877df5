"""Optimizers: functions (config, module) -> optimizer of the module's trainable parameters.

Weight decay is for filters and matrices alone: biases and normalisation have one dimension, and are spared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from visionlab.config.optimizer import AdamWConfig, MuonConfig, SgdConfig
from visionlab.training.muon import Muon


def build_sgd(config: SgdConfig, module: nn.Module) -> Optimizer:
    """Stochastic gradient descent (Sutskever et al. 2013 for its momentum)."""
    optimizer = torch.optim.SGD(
        _decay_groups(_trainable(module), config.weight_decay),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov and config.momentum > 0,  # torch refuses what would make no difference
        fused=True,
    )
    return _leave_unscaling_to_the_trainer(optimizer)


def build_adamw(config: AdamWConfig, module: nn.Module) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019)."""
    optimizer = torch.optim.AdamW(
        _decay_groups(_trainable(module), config.weight_decay), lr=config.lr, betas=config.betas, fused=True
    )
    return _leave_unscaling_to_the_trainer(optimizer)


def build_muon(config: MuonConfig, module: nn.Module) -> Optimizer:
    """Muon (Jordan et al. 2024) for filters and matrices but those of the last layer, SGD for all the rest."""
    spared = set(_last_layer(module).parameters())
    trainable = _trainable(module)
    hidden = [parameter for parameter in trainable if parameter.ndim in (2, 4) and parameter not in spared]
    chosen = set(hidden)
    rest = [parameter for parameter in trainable if parameter not in chosen]
    groups: list[dict[str, Any]] = [
        group
        | {"lr": config.lr, "momentum": config.momentum, "orthogonal": True}
        | {"iterations": config.iterations, "normalize": config.normalize}
        for group in _decay_groups(hidden, config.weight_decay)
    ]
    groups += [
        group | {"lr": _sgd_rate(config, group), "momentum": config.sgd_momentum, "orthogonal": False}
        for group in _decay_groups(rest, config.weight_decay)
    ]
    return Muon(groups)


def _sgd_rate(config: MuonConfig, group: dict[str, Any]) -> float:
    return config.bias_lr if group["params"][0].ndim < 2 else config.sgd_lr


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _decay_groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Two parameter groups, those that decay and those that do not; an empty one is left out."""
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _last_layer(module: nn.Module) -> nn.Module:
    """The outermost submodule called `head`; without one, the last linear layer, or nothing."""
    heads = [name for name, _ in module.named_modules() if name.rpartition(".")[2] == "head"]
    if heads:
        return module.get_submodule(min(heads, key=lambda name: name.count(".")))
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return linear[-1] if linear else nn.Identity()


def _leave_unscaling_to_the_trainer(optimizer: Optimizer) -> Optimizer:
    """Let a fused optimizer be used with gradient clipping.

    A fused optimizer offers to undo the scaling of float16 gradients in its step, and Lightning then refuses to clip
    them, in any mixed precision. Without the offer the scaler does it before they are clipped.
    """
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    return optimizer
