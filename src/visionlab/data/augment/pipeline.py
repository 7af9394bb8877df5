"""The augmentation of a training batch, as its config says."""

from __future__ import annotations

import torch
from torch import Tensor

from visionlab.config.data import AugmentConfig
from visionlab.data.augment.color import color_jitter
from visionlab.data.augment.cutout import cutout
from visionlab.data.augment.geometry import (
    alternating_flip,
    random_crop,
    random_flip,
    random_resized_crop,
    random_translate,
    scaled,
)
from visionlab.data.augment.mixing import mix
from visionlab.data.augment.randaugment import randaugment


class Augment:
    """Applies the operations that the config turns on, in the order of its fields.

    Where images are larger than what the network sees, a part of each is cut out first: the random resized crop if that
    is on, else a square at a random place.

    Args:
        config: which operations, and how strong.
        num_classes: K, for the probabilities that mixed images have as targets.
        mean: (C,) of pixel values scaled to 0…1: the grey of Cutout and of what RandAugment moves into the picture.
        side: of the square that the network sees; None: it sees images whole.
    """

    def __init__(self, config: AugmentConfig, num_classes: int, mean: Tensor, side: int | None = None) -> None:
        self.config = config
        self.num_classes = num_classes
        self.side = side
        self._grey = (255 * mean).round().view(1, -1, 1, 1)

    def __call__(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Augment one batch; its tensors are left as they are.

        Args:
            images: (B, C, H, W) uint8, with C = 1 or 3; B may be 0.
            labels: (B,) int64.
            indices: (B,) int64, where the images stand in their set: decides the first side of the alternating flip.
            epoch: counted from 0.
            generator: on the device of the images; all that is random is drawn from it.

        Returns:
            Images (B, C, H, W) with values 0…255, `side` pixels high and wide if that is given, or fewer in the epochs
            of progressive resizing; uint8, or float32 where an operation makes values between the levels. And their
            targets: `labels`, or (B, K) float32 probabilities after MixUp or CutMix.
        """
        config = self.config
        # copied to another device once, as a copy for each batch would make the GPU wait
        self._grey = self._grey.to(images.device)
        if config.crop_scale is not None:
            images = random_resized_crop(images, config.crop_scale, generator, self.side)
        elif self.side is not None:
            images = random_crop(images, self.side, generator)
        if config.flip == "random":
            images = random_flip(images, generator)
        elif config.flip == "alternating":
            images = alternating_flip(images, indices, epoch)
        if config.translate:
            images = random_translate(images, config.translate, generator)
        if config.color_jitter:
            images = color_jitter(images, config.color_jitter, generator)
        if config.randaugment is not None:
            images = randaugment(images, config.randaugment, self._grey, generator)
        if config.cutout:
            images = cutout(images, config.cutout, self._grey, generator)
        if epoch < len(config.progressive):
            images = scaled(images, config.progressive[epoch])
        if config.mixup or config.cutmix:
            return mix(images, labels, self.num_classes, config.mixup, config.cutmix, generator)
        return images, labels
