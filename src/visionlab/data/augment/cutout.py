"""Cutout, and the rectangles that CutMix needs as well."""

from __future__ import annotations

import torch
from torch import Tensor


def cutout(images: Tensor, side: int, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Cover a square of each image (DeVries and Taylor 2017).

    Its centre is any pixel alike, so that at the border a part of the square may lie outside.

    Args:
        images: (B, C, H, W).
        side: of the square, in pixels.
        fill: (1, C, 1, 1), whole numbers.

    Returns:
        (B, C, H, W) in the type of `images`.
    """
    covered = random_rectangles(len(images), images.shape[-2:], side, side, generator)
    return torch.where(covered, fill.to(images.dtype), images)


def random_rectangles(
    count: int, size: torch.Size, height: int | Tensor, width: int | Tensor, generator: torch.Generator
) -> Tensor:
    """Masks (count, 1, H, W) bool of rectangles whose centre is any pixel alike; what lies outside is cut off.

    Args:
        size: (H, W) of the images.
        height, width: of the rectangles, in whole pixels.
    """
    rows = _random_spans(count, size[0], height, generator)
    columns = _random_spans(count, size[1], width, generator)
    return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)


def _random_spans(count: int, size: int, length: int | Tensor, generator: torch.Generator) -> Tensor:
    """Masks (count, size) bool of intervals of `length` around random centres."""
    device = generator.device
    start = torch.randint(size, (count, 1), generator=generator, device=device) - length // 2
    positions = torch.arange(size, device=device)
    return (positions >= start) & (positions < start + length)
