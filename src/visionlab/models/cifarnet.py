"""The network of the fastest CIFAR-10 recipes, whose convolutions begin as identities.

    images (B, C, H, W)
      whiten   2x2 convolution with 8 C filters, computed from the training images; its bias alone is trained; GELU
      3 stages of `depth` 3x3 convolutions, the first followed by a 2x2 maximum; batch normalisation, GELU after each;
               with `residual`, what comes out of the first is added to what goes into the last GELU
      head     maximum over the image, linear layer without bias, divided by its inputs -> logits (B, K)

For an image of 3x32x32 and 10 classes:

| widths        | depth | residual | parameters | multiply-adds |
| ------------- | ----- | -------- | ---------- | ------------- |
| 64, 256, 256  |     2 | no       |  1,972,792 |   118,147,360 |
| 128, 384, 512 |     3 | yes      |  9,918,776 |   451,967,264 |

Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU". Departures: the head is scaled as in the later
Muon recipe (airbench94_muon), and the bias of the first layer is trained throughout instead of in the first epochs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from visionlab.config.model import CifarNetConfig
from visionlab.models.layers import pass_through_
from visionlab.models.whitening import PATCH, whitening_filters

# of batch normalisation: the weight of a new batch in the running statistics
MOMENTUM = 0.4


class CifarNet(nn.Module):
    """See the module's docstring.

    Args:
        config: widths, depth, residual.
        in_channels: C.
        image_size: (H, W), at least 16x16 for three stages.
        num_classes: K.
    """

    def __init__(
        self, config: CifarNetConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int
    ) -> None:
        super().__init__()
        channels = 2 * in_channels * PATCH**2
        self.whiten = nn.Conv2d(in_channels, channels, PATCH)
        self.whiten.weight.requires_grad_(False)
        assert self.whiten.bias is not None
        nn.init.zeros_(self.whiten.bias)
        stages: list[nn.Module] = []
        side = min(image_size) - PATCH + 1
        for width in config.widths:
            if side < 2:
                break
            stages.append(Stage(channels, width, config.depth, config.residual))
            channels, side = width, side // 2
        self.stages = nn.Sequential(nn.GELU(), *stages)
        self.head = nn.Linear(channels, num_classes, bias=False)
        with torch.no_grad():
            self.head.weight.div_(self.head.weight.std())
        self._inputs = channels

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.stages(self.whiten(images))  # (B, widths[-1], h, w)
        logits: Tensor = self.head(features.amax(dim=(2, 3)))
        return logits / self._inputs

    @torch.no_grad()
    def initialize(self, images: Tensor) -> None:
        """Set the whitening filters from normalised training images (N, C, H, W)."""
        self.whiten.weight.copy_(whitening_filters(images))


class Stage(nn.Module):
    """Convolutions of one width, (B, I, H, W) -> (B, O, H / 2, W / 2)."""

    def __init__(self, channels: int, width: int, depth: int, residual: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels if place == 0 else width, width) for place in range(depth))
        self.norms = nn.ModuleList(_norm(width) for _ in range(depth))
        self.activation = nn.GELU()
        self.residual = residual

    def forward(self, features: Tensor) -> Tensor:
        features = self.activation(self.norms[0](max_pool2d(self.convs[0](features), 2)))
        first = features
        for conv, norm in zip(self.convs[1:-1], self.norms[1:-1], strict=True):
            features = self.activation(norm(conv(features)))
        if len(self.convs) > 1:
            features = self.norms[-1](self.convs[-1](features))
            features = self.activation(features + first if self.residual else features)
        return features


def _conv(channels: int, width: int) -> nn.Conv2d:
    layer = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    pass_through_(layer.weight)
    return layer


def _norm(width: int) -> nn.BatchNorm2d:
    """It learns a shift but no scale: the filters' scale is already free."""
    layer = nn.BatchNorm2d(width, eps=1e-12, momentum=MOMENTUM)
    layer.weight.requires_grad_(False)
    return layer
