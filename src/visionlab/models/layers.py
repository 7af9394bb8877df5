"""What several networks are made of."""

from __future__ import annotations

from torch import nn

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
