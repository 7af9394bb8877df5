"""A multi-layer perceptron on the flattened image. With `hidden=[]` it is a single layer: softmax regression.

Paper: Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors.

Shapes: images (B, C, H, W) -> (B, C*H*W) -> (B, hidden[0]) -> … -> logits (B, K).

With the default 256-256 hidden units and 10 classes, for one image:

| images  | parameters | multiply-adds |
| ------- | ---------- | ------------- |
| 1x8x8   |     85,002 |        84,480 |
| 3x32x32 |    855,050 |       854,528 |
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from visionlab.config.model import MlpConfig
from visionlab.models.initialization import initialize
from visionlab.models.layers import GROUPS, activation


class MLP(nn.Module):
    """Linear layers with normalisation if any, an activation, and dropout if any, after each but the last."""

    def __init__(self, config: MlpConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> None:
        super().__init__()
        units = (in_channels * math.prod(image_size), *config.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(units):
            hidden = _hidden(config, before, after)
            layers += [Residual(*hidden)] if config.residual and before == after else hidden
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(units[-1], num_classes)
        initialize(self, config.init, config.gain)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, K)."""
        logits: Tensor = self.head(self.body(images))
        return logits


class Residual(nn.Sequential):
    """Layers in a row, and beside them what is given to the first: x + f(x), (B, H) -> (B, H)."""

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + super().forward(features)
        return out


def _hidden(config: MlpConfig, before: int, after: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Linear(before, after)]
    match config.norm:
        case "batch":
            layers.append(nn.BatchNorm1d(after))
        case "layer":
            layers.append(nn.LayerNorm(after))
        case "group":
            layers.append(nn.GroupNorm(math.gcd(GROUPS, after), after))
    layers.append(activation(config.activation))
    return [*layers, nn.Dropout(config.dropout)] if config.dropout > 0 else layers
