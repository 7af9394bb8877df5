"""How the weights of linear layers begin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from visionlab.config.model import Initialization

# name -> what it does to a weight (O, I), in place
_RULES: dict[Initialization, Callable[[Tensor], Tensor]] = {
    "zeros": nn.init.zeros_,
    "small_normal": lambda weight: nn.init.normal_(weight, std=0.01),
    "large_normal": lambda weight: nn.init.normal_(weight, std=1.0),
    # keeps the variance of what passes forward and backward, for units whose slope at 0 is 1 (Glorot and Bengio 2010)
    "xavier": nn.init.xavier_normal_,
    # the same for ReLU, which lets half of it pass (He et al. 2015)
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    # keeps the length of what passes (Saxe et al. 2014)
    "orthogonal": nn.init.orthogonal_,
}


@torch.no_grad()
def initialize(network: nn.Module, rule: Initialization, gain: float) -> None:
    """Set the weights of all linear layers by a rule and multiply them with `gain`; biases are then zero.

    The rule `default` leaves torch's own values, uniform within 1 / sqrt(inputs), biases too.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            if rule != "default":
                _RULES[rule](layer.weight)
                nn.init.zeros_(layer.bias)
            layer.weight.mul_(gain)
