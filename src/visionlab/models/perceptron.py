"""A single linear unit that tells two classes apart: which side of the hyperplane w x + b = 0 a point is on.

Paper: Rosenblatt 1958, The perceptron: a probabilistic model for information storage and organization in the brain.

Shapes: images (B, C, H, W) -> (B, C*H*W) -> s = w x + b (B, 1) -> logits [0, s] (B, 2): their softmax is the logistic
function of s, so with cross-entropy it is logistic regression, and with `loss=perceptron` Rosenblatt's perceptron.

For one image:

| images | parameters | multiply-adds |
| ------ | ---------- | ------------- |
| 1x1x2  |          3 |             2 |
| 1x8x8  |         65 |            64 |
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from visionlab.config.model import PerceptronConfig
from visionlab.errors import UserError


class Perceptron(nn.Module):
    """One unit, which starts undecided: with all weights zero.

    Raises:
        UserError: there are not two classes.
    """

    def __init__(
        self, config: PerceptronConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int
    ) -> None:
        super().__init__()
        if num_classes != 2:
            raise UserError(
                f"model perceptron: expected two classes, one on each side, given {num_classes}; "
                "model=mlp model.hidden=[] is its like for more"
            )
        self.head = nn.Linear(in_channels * math.prod(image_size), 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, 2)."""
        side: Tensor = self.head(images.flatten(1))  # (B, 1)
        return torch.cat([torch.zeros_like(side), side], dim=1)
