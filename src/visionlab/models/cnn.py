"""A compact convolutional network for small images.

    images (B, C, H, W)
      whiten   2x2 convolution with 8 C filters, computed from the training images and not trained; activation
      stage 1  4x4 convolution that halves the image, norm, activation; 3x3 convolution, norm, activation
      stage 2  the same with twice the filters
      stage 3  the same with four times the filters, where the image is still at least 2x2
      head     maximum over the image, linear layer without bias -> logits (B, K)

At width 64 and 10 classes:

    images      parameters      trained   multiply-adds
    3x32x32      1,458,720    1,457,536       37.8 M
    1x8x8          325,664      325,248        0.7 M

The whitening layer and the identity initialisation are those of Jordan 2024 ("94% on CIFAR-10 in 3.29 seconds on a
single GPU", sections 3.1 and 3.2). One strided convolution in place of a convolution and a pooling saves most of the
memory traffic, which is what a CPU waits for.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from visionlab.config.model import CnnConfig
from visionlab.models.layers import GROUPS, activation, pass_through_
from visionlab.models.whitening import PATCH, whitening_filters


class CNN(nn.Module):
    """See the module's docstring.

    Args:
        config: width, activation, dropout.
        in_channels: C.
        image_size: (H, W).
        num_classes: K.
    """

    def __init__(self, config: CnnConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> None:
        super().__init__()
        channels = 2 * in_channels * PATCH**2
        self.whiten = nn.Conv2d(in_channels, channels, PATCH, bias=False)
        self.whiten.weight.requires_grad_(False)
        stages: list[nn.Module] = []
        side = min(image_size) - PATCH + 1
        for width in (config.width, 2 * config.width, 4 * config.width):
            if side < 2:
                break
            stages.append(_stage(channels, width, config))
            channels, side = width, side // 2
        self.stages = nn.Sequential(activation(config.activation), *stages)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(channels, num_classes, bias=False)
        nn.init.normal_(self.head.weight, std=1 / channels)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.stages(self.whiten(images))  # (B, 4 * width, h, w)
        return self.head(self.dropout(features.amax(dim=(2, 3))))  # type: ignore[no-any-return]

    @torch.no_grad()
    def initialize(self, images: Tensor) -> None:
        """Set the whitening filters from normalised training images (N, C, H, W)."""
        self.whiten.weight.copy_(whitening_filters(images))


class Shift(nn.Module):
    """Adds a learnt number to each channel of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.bias.view(1, -1, 1, 1)


def _stage(channels: int, width: int, config: CnnConfig) -> nn.Sequential:
    return nn.Sequential(
        _convolution(channels, width, kernel=4, stride=2),
        _norm(width, config.norm),
        activation(config.activation),
        _convolution(width, width, kernel=3, stride=1),
        _norm(width, config.norm),
        activation(config.activation),
    )


def _convolution(channels: int, width: int, kernel: int, stride: int) -> nn.Conv2d:
    """A convolution whose first filters pass their channel through (averaged over 2x2 where the kernel is even)."""
    layer = nn.Conv2d(channels, width, kernel, stride, padding=1, bias=False)
    if kernel % 2:
        pass_through_(layer.weight)
        return layer
    with torch.no_grad():
        for i in range(min(channels, width)):
            layer.weight[i] *= 0.3
            layer.weight[i, i, 1:3, 1:3] = 0.25
    return layer


def _norm(width: int, name: str) -> nn.Module:
    """A normalisation that learns a shift but no scale: the filters' scale is already free. Without one, the shift.

    Of the channels of an image, layer normalisation (Ba et al. 2016) takes all together, group normalisation (Wu and He
    2018) some, and instance normalisation (Ulyanov et al. 2016) each by itself; batch normalisation (Ioffe and Szegedy
    2015) takes each by itself over all images of the batch.
    """
    if name == "none":
        return Shift(width)
    groups = {"layer": 1, "group": math.gcd(GROUPS, width), "instance": width}
    layer = nn.BatchNorm2d(width) if name == "batch" else nn.GroupNorm(groups[name], width)
    layer.weight.requires_grad_(False)
    return layer
