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
from visionlab.models.layers import activation


class MLP(nn.Module):
    """Linear layers with an activation, and dropout if any, after each but the last."""

    def __init__(self, config: MlpConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> None:
        super().__init__()
        units = (in_channels * math.prod(image_size), *config.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(units):
            layers += [nn.Linear(before, after), activation(config.activation)]
            if config.dropout > 0:
                layers.append(nn.Dropout(config.dropout))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(units[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, K)."""
        logits: Tensor = self.head(self.body(images))
        return logits
