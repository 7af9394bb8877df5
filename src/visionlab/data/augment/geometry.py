"""Operations that move pixels: flips, translation, crops and affine maps."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

MAX_LOG_ASPECT = math.log(4 / 3)


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each of (B, C, H, W) images left-right with probability one half."""
    return flip(images, torch.rand(len(images), generator=generator, device=images.device) < 0.5)


def alternating_flip(images: Tensor, indices: Tensor, epoch: int) -> Tensor:
    """Mirror each image in every second epoch, starting with the first or the second by a hash of its index.

    Any two successive epochs show every image both ways, which flips drawn at random do for half of the images only
    (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", section 3.6).

    Args:
        images: (B, C, H, W).
        indices: (B,) int64.
        epoch: counted from 0.
    """
    # int64 arithmetic wraps around, and the upper bits of the product depend on all bits of the index
    mixed = indices * 0x4F1BBCDCBFA53E0B
    mixed = (mixed ^ (mixed >> 29)) * 0x2545F4914F6CDD1D
    return flip(images, ((mixed >> 43) + epoch) % 2 == 1)


def random_translate(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `most` whole pixels along either axis, all shifts alike; the border is reflected."""
    shifts = torch.randint(-most, most + 1, (2, len(images)), generator=generator, device=images.device)
    return translate(images, shifts[0], shifts[1])


def random_crop(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Cut a square of `side` pixels out of each of (B, C, H, W) images, at any place in it alike."""
    height, width = images.shape[-2:]
    across = torch.randint(width - side + 1, (len(images), 1), generator=generator, device=images.device)
    down = torch.randint(height - side + 1, (len(images), 1), generator=generator, device=images.device)
    positions = torch.arange(side, device=images.device)
    return _rearranged(images, down + positions, across + positions)


def centre_crop(images: Tensor, side: int) -> Tensor:
    """The square of `side` pixels in the middle of each of (B, C, H, W) images, as a view of them."""
    top, left = ((size - side) // 2 for size in images.shape[-2:])
    return images[..., top : top + side, left : left + side]


def random_resized_crop(
    images: Tensor, scale: tuple[float, float], generator: torch.Generator, side: int | None = None
) -> Tensor:
    """Cut a random rectangle out of each image and scale it to one size (Szegedy et al. 2015).

    Args:
        images: (B, C, H, W), values 0…255.
        scale: least and greatest share of the area; the ratio of width to height is drawn from 3/4 to 4/3, as far as
            the rectangle fits into the image.
        side: of the result; None: it is as large as the image.

    Returns:
        (B, C, H, W), or (B, C, side, side), float32, values 0…255.
    """
    height, width = images.shape[-2:]
    share, aspect, across, down = torch.rand(4, len(images), generator=generator, device=images.device)
    share = scale[0] + (scale[1] - scale[0]) * share
    # the rectangle fits as long as its log aspect is this near to the image's own
    own, slack = math.log(width / height), -share.log()
    low = torch.full_like(slack, -MAX_LOG_ASPECT).clamp(own - slack, own + slack)
    high = torch.full_like(slack, MAX_LOG_ASPECT).clamp(own - slack, own + slack)
    root_aspect = ((low + (high - low) * aspect) / 2).exp()
    root_area = (share * height * width).sqrt()
    crop_width = (root_area * root_aspect).clamp(1, width)
    crop_height = (root_area / root_aspect).clamp(1, height)
    left, top = across * (width - crop_width), down * (height - crop_height)
    return resized_crop(images, left, top, crop_width, crop_height, (side or height, side or width))


def scaled(images: Tensor, side: int) -> Tensor:
    """Scale (B, C, H, W) images down to (B, C, side, side) float32, smoothed so that no detail turns into another."""
    return interpolate(images.float(), (side, side), mode="bilinear", antialias=True)


def flip(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror left-right those of (B, C, H, W) images that `mirrored` (B,) bool says."""
    height, width = images.shape[-2:]
    columns = torch.arange(width, device=images.device)
    columns = torch.where(mirrored[:, None], columns.flip(0), columns)
    return _rearranged(images, torch.arange(height, device=images.device).expand(len(images), -1), columns)


def translate(images: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Shift each of (B, C, H, W) images by `right` and `down` (B,) int64 whole pixels; the border is reflected."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device) - down[:, None]
    columns = torch.arange(width, device=images.device) - right[:, None]
    return _rearranged(images, _reflected(rows, height), _reflected(columns, width))


def resized_crop(
    images: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor, size: tuple[int, int]
) -> Tensor:
    """Scale a rectangle of each image to `size`, by bilinear interpolation within the rectangle.

    Nothing is smoothed before, so the rectangle should not be much more than twice as wide or high as the result.

    Args:
        images: (B, C, H, W), values 0…255.
        left, top, width, height: (B,) float32, in pixels, not necessarily whole; at least one pixel wide and high.
        size: (h, w) of the result.

    Returns:
        (B, C, h, w) float32, values 0…255.
    """
    x = _crop_coordinates(left, width, size[1])
    y = _crop_coordinates(top, height, size[0])
    return _bilinear(images.float(), x[:, None, :], y[:, :, None]).clamp_(0, 255)


def warp(images: Tensor, matrices: Tensor, fill: Tensor) -> Tensor:
    """Apply an affine map to each image, by bilinear interpolation.

    Args:
        images: (B, C, H, W).
        matrices: (B, 2, 3) float32; takes (x, y, 1) of an output pixel to the (x, y) of where to look in the input,
            both in pixels from the image's centre.
        fill: (1, C, 1, 1), what lies outside the input.

    Returns:
        (B, C, H, W) float32.
    """
    height, width = images.shape[-2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    (a, b, c), (d, e, f) = (row.unbind(1) for row in matrices[..., None, None].unbind(1))
    source_x = a * x + b * y + c + (width - 1) / 2
    source_y = d * x + e * y + f + (height - 1) / 2
    return _bilinear(images - fill, source_x, source_y).add_(fill)


def _rearranged(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixel (i, j) of each image becomes the one at its rows[i], columns[j]; rows (B, h) and columns (B, w) int64."""
    width = images.shape[-1]
    # one gather over flat positions: several times faster on a CPU than indexing or `where`, and contiguous
    positions = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)  # (B, h * w)
    positions = positions[:, None].expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, positions).view(*images.shape[:2], rows.shape[1], columns.shape[1])


def _reflected(positions: Tensor, size: int) -> Tensor:
    """Bring int64 positions outside 0…size-1 back by reflection at the first and last pixel, as often as it takes."""
    last = size - 1
    return last - (last - positions % max(2 * last, 1)).abs()


def _crop_coordinates(start: Tensor, extent: Tensor, size: int) -> Tensor:
    """Where in the input the centres of `size` pixels lie along one axis, clamped to the crop's own: (B, size)."""
    start, extent = start[:, None], extent[:, None]
    centres = start + (torch.arange(size, device=start.device) + 0.5) * (extent / size) - 0.5
    return centres.clamp(start, start + extent - 1)


def _bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Look up (B, C, H, W) float32 images at x and y, in pixels, that broadcast to (B, H, W); 0 lies outside."""
    height, width = images.shape[-2:]
    shape = torch.broadcast_shapes(x.shape, y.shape)
    grid = torch.stack([((2 * x + 1) / width - 1).expand(shape), ((2 * y + 1) / height - 1).expand(shape)], dim=-1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
