"""A network of timm or torchvision with a new head: transfer learning.

    images (B, C, H, W)
      scaled to (B, 3, side, side) if they are of another size; grey ones become three equal channels
      backbone -> features (B, F)
      dropout, head -> logits (B, K)

The network declares the `mean` and `std` of the images that it has learnt from, and the data are normalised by these
instead of by their own. What is not images but features already, (B, F), goes to the head at once.

The default is EfficientNet-Lite0 (Tan and Le 2019): 3,371,008 parameters without its head, F = 1280, and for an image

    scaled to   multiply-adds
    3x224x224         383.9 M
    3x128x128         125.4 M
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from visionlab.config.model import PretrainedConfig
from visionlab.errors import UserError
from visionlab.models.modes import keeping_modes
from visionlab.models.pretrained.architecture import Preprocessing, architecture
from visionlab.models.pretrained.weights import check_source, load_weights

LEAST_SIDE = 128  # small images are scaled up to it: the first layers make them eight times smaller


class Pretrained(nn.Module):
    """See the module's docstring.

    Args:
        config: which network, which weights, which size.
        in_channels: C, 1 or 3.
        image_size: (H, W).
        num_classes: K.

    Attributes:
        mean, std: one entry a channel of the images, of pixel values scaled to 0…1, to normalise images by.

    Raises:
        UserError: there is no such network, or it does not go with the images or the weights.
    """

    def __init__(
        self, config: PretrainedConfig, *, in_channels: int, image_size: tuple[int, int], num_classes: int
    ) -> None:
        super().__init__()
        if in_channels not in (1, 3):
            raise UserError(f"model=pretrained: expected images with 1 or 3 channels, given {in_channels}")
        check_source(config)
        built = architecture(config.arch)
        self.config, self._last = config, built.last
        self.backbone = built.backbone
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(built.features, num_classes)
        # no class is preferred at first, and no noise goes through the backbone in the first step
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        made = built.preprocessing
        self.mean, self.std = made.mean[:in_channels], made.std[:in_channels]
        self.size = _size(config, made, image_size)
        given = self.size or image_size
        if given != (made.side, made.side):
            _check_size(self.backbone, config.arch, given, made.side)
        self.interpolation: Literal["bicubic", "bilinear"] = made.interpolation
        scale = torch.tensor([self.std[0] / std for std in made.std])
        shift = torch.tensor([(self.mean[0] - mean) / std for mean, std in zip(made.mean, made.std, strict=True)])
        self.register_buffer("_grey_scale", scale.view(1, -1, 1, 1), persistent=False)
        self.register_buffer("_grey_shift", shift.view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), or features (B, F) -> logits (B, K)."""
        logits: Tensor = self.head(self.dropout(self.features(images) if images.ndim == 4 else images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> features (B, F)."""
        if images.shape[1] == 1:
            # each channel as the weights know it: normalised by its own mean and deviation
            images = torch.addcmul(self._grey_shift, images, self._grey_scale)  # type: ignore[arg-type]
        if self.size is not None and len(images):
            images = interpolate(images, self.size, mode=self.interpolation, antialias=True)
        features: Tensor = self.backbone(images)
        return features

    def load_pretrained(self) -> None:
        """Put the weights into the backbone that the configuration names.

        Raises:
            UserError: they cannot be had, or are not this network's.
        """
        load_weights(self.backbone, self.config, self._last)


def _size(config: PretrainedConfig, made: Preprocessing, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """What images are scaled to; None where they stay as they are."""
    if made.is_fixed and config.input_size not in (None, made.side):
        raise UserError(
            f"model.input_size: expected {made.side}, as {config.arch} takes no other, given {config.input_size}"
        )
    side = config.input_size
    if made.is_fixed:
        side = made.side
    elif side is None and min(image_size) < (least := min(LEAST_SIDE, made.side)):
        side = least
    return None if side is None or image_size == (side, side) else (side, side)


@torch.no_grad()
def _check_size(backbone: nn.Module, arch: str, size: tuple[int, int], usual: int) -> None:
    """Show a network one image: not all that take several sizes take every size.

    Args:
        size: (H, W) of the image.
        usual: the side that the network certainly takes.
    """
    height, width = size
    with keeping_modes(backbone):
        backbone.eval()
        try:
            backbone(torch.zeros(1, 3, height, width))
        except Exception as error:  # each network has a way of its own to refuse
            raise UserError(
                f"model.input_size: expected a size that {arch} takes, such as {usual}, given images of "
                f"{height}x{width}"
            ) from error
