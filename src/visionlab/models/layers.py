"""What several networks are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from visionlab.config.model import Activation

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,  # the network is then linear, however deep
}

GROUPS = 8  # of channels that are normalised together, where their number allows it (Wu and He 2018)


def activation(name: Activation) -> nn.Module:
    """The activation function of that name, as a layer."""
    return _ACTIVATIONS[name]()


@torch.no_grad()
def pass_through_(weight: Tensor) -> None:
    """Have the first filters (O, I, 3, 3) of a convolution pass their channel through, the others stay."""
    middle = weight.shape[-1] // 2
    for i in range(min(weight.shape[:2])):
        weight[i] = 0
        weight[i, i, middle, middle] = 1
