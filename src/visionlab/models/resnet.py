"""Residual networks for small images, of two families.

Paper: He et al. 2016, Deep residual learning for image recognition.

Depth 20 to 110: the CIFAR family of section 4.2, three stages of (depth - 2) / 6 blocks, 16 channels in the first.
Depth 18 and 34: the ImageNet networks with four stages, 64 channels in the first, and the 3x3 stem of the CIFAR family
in place of the 7x7 one and its pooling. Departures from the paper: a shortcut that changes the shape is a 1x1
convolution (option B) in both families, and each block starts as its shortcut alone (Goyal et al. 2017, section 5.1).

Shapes: images (B, C, H, W) -> stem (B, width, H, W) -> stage i (B, width * 2^i, H / 2^i, W / 2^i), i = 0, 1, … ->
mean over the pixels -> logits (B, K). Any size of image works; the cost grows with the number of pixels.

With default widths, for an image of 3x32x32 and 10 classes:

| depth | parameters | multiply-adds |
| ----- | ---------- | ------------- |
|    18 | 11,173,962 |   555,422,720 |
|    34 | 21,282,122 | 1,159,402,496 |
|    20 |    272,474 |    40,813,184 |
|    32 |    466,906 |    69,124,736 |
|    44 |    661,338 |    97,436,288 |
|    56 |    855,770 |   125,747,840 |
|   110 |  1,730,714 |   253,149,824 |
"""

from __future__ import annotations

from torch import Tensor, nn

from visionlab.config.model import ResNetConfig

_FOUR_STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}  # blocks of each stage


class ResNet(nn.Module):
    """Stem, stages of basic blocks, mean over the pixels, one linear layer."""

    def __init__(
        self, config: ResNetConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int
    ) -> None:
        super().__init__()
        blocks = _FOUR_STAGES.get(config.depth, ((config.depth - 2) // 6,) * 3)
        width = config.width or (64 if config.depth in _FOUR_STAGES else 16)
        self.stem = nn.Sequential(_conv(in_channels, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.stages = nn.Sequential()
        channels = width
        for stage, count in enumerate(blocks):
            out_channels = width * 2**stage
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                self.stages.append(BasicBlock(channels, out_channels, stride))
                channels = out_channels
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, K)."""
        features = self.stages(self.stem(images))  # (B, channels of the last stage, H / 8 or 4, W / 8 or 4)
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _conv(in_channels, out_channels, stride=stride),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            _conv(out_channels, out_channels),
            _batch_norm_from_zero(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if (in_channels, stride) != (out_channels, 1):
            self.shortcut = nn.Sequential(
                _conv(in_channels, out_channels, kernel=1, stride=stride), nn.BatchNorm2d(out_channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        """(B, I, H, W) -> (B, O, H / stride, W / stride)."""
        out: Tensor = self.shortcut(features) + self.residual(features)
        return out.relu_()


def _conv(in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the size but for its stride, initialised after He et al. 2015."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _batch_norm_from_zero(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.zeros_(norm.weight)
    return norm
