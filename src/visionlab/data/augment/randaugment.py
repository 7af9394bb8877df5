"""RandAugment (Cubuk et al. 2020) of whole batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from visionlab.config.data import RandAugmentConfig
from visionlab.data.augment import color
from visionlab.data.augment.geometry import warp

Operation = Callable[[Tensor, Tensor], Tensor]

MAX_MAGNITUDE = 30
GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


def randaugment(images: Tensor, config: RandAugmentConfig, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Apply to each image `config.ops` times one of 14 operations, drawn for it alone, all with the same magnitude.

    The operations and what a magnitude means for each are those of the paper's code: identity, autocontrast, equalize,
    posterize, solarize, brightness, contrast, saturation, sharpness, rotate, and shear and translate along x or y.
    Those with a direction get a random sign.

    Args:
        images: (B, C, H, W), values 0…255, rounded to whole levels if they are not.
        fill: (1, C, 1, 1), what geometric operations bring in from outside the image.

    Returns:
        (B, C, H, W) uint8.
    """
    strength = config.magnitude / MAX_MAGNITUDE
    color_operations = _color_operations(strength)
    count, device = len(images), images.device
    # on a CPU an operation runs on its own images only; on a GPU on all, as asking which would make the host wait
    apply = apply_to_rows if device.type == "cpu" else apply_masked
    images = _levels(images).clone()
    for _ in range(config.ops):
        # a number past both lists is the identity
        choice = torch.randint(len(color_operations) + len(GEOMETRIC) + 1, (count,), generator=generator, device=device)
        sign = 2.0 * torch.randint(2, (count,), generator=generator, device=device) - 1
        for number, operation in enumerate(color_operations):
            images = apply(images, choice == number, operation, sign)
        kind = choice - len(color_operations)
        matrices = affine_matrices(kind, strength * sign, images.shape[-2], images.shape[-1])
        moved = (kind >= 0) & (kind < len(GEOMETRIC))
        images = apply(images, moved, partial(warp, fill=fill), matrices)
    return images


def affine_matrices(kind: Tensor, level: Tensor, height: int, width: int) -> Tensor:
    """The affine maps of geometric operations, as `warp` takes them; the identity for any other kind.

    Args:
        kind: (B,) int64, indices into GEOMETRIC.
        level: (B,) float32, from -1 to 1: up to 30 degrees, a shear of 0.3, or 150/331 of the image's side.

    Returns:
        (B, 2, 3) float32.
    """
    angle, shear_x, shear_y, move_x, move_y = (torch.where(kind == k, level, 0.0) for k in range(len(GEOMETRIC)))
    angle = angle * math.radians(30)
    # shears keep the upper left corner in its place, and translations are by whole pixels, as in the paper's code
    shear_x, shear_y = 0.3 * shear_x, 0.3 * shear_y
    move_x = (150 / 331 * width * move_x).trunc() + shear_x * height / 2
    move_y = (150 / 331 * height * move_y).trunc() + shear_y * width / 2
    x = torch.stack([angle.cos(), shear_x - angle.sin(), move_x], dim=1)
    y = torch.stack([shear_y + angle.sin(), angle.cos(), move_y], dim=1)
    return torch.stack([x, y], dim=1)


def apply_to_rows(images: Tensor, chosen: Tensor, operation: Operation, parameters: Tensor) -> Tensor:
    """Run `operation` on the images that `chosen` (B,) bool says and write the result over them.

    Args:
        images: (B, C, H, W) uint8.
        operation: from images and parameters to images of the same shape.
        parameters: (B, …), one entry an image.
    """
    rows = chosen.nonzero().flatten()
    if len(rows):
        images[rows] = _levels(operation(images[rows], parameters[rows]))
    return images


def apply_masked(images: Tensor, chosen: Tensor, operation: Operation, parameters: Tensor) -> Tensor:
    """The result of `apply_to_rows` as a new tensor, without the host knowing which images are chosen."""
    return torch.where(chosen.view(-1, 1, 1, 1), _levels(operation(images, parameters)), images)


def _color_operations(strength: float) -> tuple[Operation, ...]:
    """The operations on values, each of images (B, C, H, W) uint8 and signs (B,)."""

    def enhance(adjust: Operation) -> Operation:
        return lambda images, sign: adjust(images.float(), 1 + 0.9 * strength * sign)

    return (
        lambda images, _: color.autocontrast(images),
        lambda images, _: color.equalize(images),
        lambda images, _: color.posterize(images, round(8 - 4 * strength)),
        lambda images, _: color.solarize(images, 255 * (1 - strength)),
        enhance(color.adjust_brightness),
        enhance(color.adjust_contrast),
        enhance(color.adjust_saturation),
        enhance(color.adjust_sharpness),
    )


def _levels(images: Tensor) -> Tensor:
    """Images with values 0…255, rounded to uint8."""
    return images if images.dtype == torch.uint8 else images.round().to(torch.uint8)
