from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from visionlab.data.augment.geometry import (
    alternating_flip,
    centre_crop,
    flip,
    random_crop,
    random_flip,
    random_resized_crop,
    random_translate,
    resized_crop,
    scaled,
    translate,
    warp,
)

SHAPES = [(6, 3, 9, 7), (5, 1, 4, 8), (3, 3, 1, 1), (0, 3, 8, 8)]


def pictures(count: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", SHAPES)
def test_flip_mirrors_the_chosen_images_and_no_others(shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    mirrored = torch.arange(len(images)) % 2 == 0
    expected = [np.flip(a, -1) if m else a for a, m in zip(images.numpy(), mirrored, strict=True)]
    result = flip(images, mirrored)
    assert result.dtype == torch.uint8
    assert result.is_contiguous()
    assert result.shape == images.shape
    assert all(np.array_equal(a, b) for a, b in zip(result.numpy(), expected, strict=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_translate_equals_padding_by_reflection_and_cutting(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    most = 10  # more than an image has pixels: reflected more than once
    images = pictures(*shape).to(dtype)
    right, down = torch.randint(-most, most + 1, (2, len(images)), generator=rng(1))
    result = translate(images, right, down)
    assert result.dtype == dtype
    height, width = shape[-2:]
    for image, moved, x, y in zip(images.numpy(), result.numpy(), right.tolist(), down.tolist(), strict=True):
        padded = np.pad(image, ((0, 0), (most, most), (most, most)), mode="reflect")
        assert np.array_equal(moved, padded[:, most - y : most - y + height, most - x : most - x + width])


def test_random_flip_mirrors_half_of_the_images() -> None:
    images = torch.arange(2, dtype=torch.uint8).expand(4000, 1, 1, 2)
    share = random_flip(images, rng())[:, 0, 0, 0].float().mean().item()
    assert abs(share - 0.5) < 0.03


def test_two_successive_epochs_of_the_alternating_flip_show_both_sides_of_every_image() -> None:
    indices = torch.arange(3000)
    images = torch.arange(2, dtype=torch.uint8).expand(3000, 1, 1, 2)
    mirrored = [alternating_flip(images, indices, epoch)[:, 0, 0, 0] for epoch in range(4)]
    for before, after in pairwise(mirrored):
        assert torch.equal(before + after, torch.ones_like(before))


@pytest.mark.parametrize("step", [1, 2, 3, 64, 1000])
def test_alternating_flip_begins_with_half_of_the_images_whatever_their_spacing(step: int) -> None:
    indices = step * torch.arange(4000)
    images = torch.arange(2, dtype=torch.uint8).expand(4000, 1, 1, 2)
    first = alternating_flip(images, indices, epoch=0)[:, 0, 0, 0].float()
    assert abs(first.mean().item() - 0.5) < 0.03
    # neighbours are independent of each other
    assert abs((first[1:] == first[:-1]).float().mean().item() - 0.5) < 0.03


def test_alternating_flip_depends_on_the_index_and_not_on_the_place_in_the_batch() -> None:
    images, indices = pictures(50, 3, 4, 4), torch.arange(50)
    order = torch.randperm(50, generator=rng())
    assert torch.equal(alternating_flip(images, indices, 3)[order], alternating_flip(images[order], indices[order], 3))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_random_crops_are_squares_of_the_images_everywhere_alike(dtype: torch.dtype) -> None:
    images = torch.arange(30, dtype=torch.uint8).view(1, 1, 5, 6).expand(6000, 2, 5, 6).to(dtype)
    crops = random_crop(images, 3, rng())
    assert crops.shape == (6000, 2, 3, 3)
    assert crops.dtype == dtype
    corners = crops[:, 0, 0, 0].long()  # the first pixel tells the place
    counts = corners.bincount(minlength=30).view(5, 6)
    assert (counts[:3, :4] > 420).all()
    assert (counts[:3, :4] < 580).all()
    assert counts.sum() == counts[:3, :4].sum()
    square = torch.arange(3)[:, None] * 6 + torch.arange(3)
    assert torch.equal(crops.long(), (corners[:, None, None, None] + square).expand(-1, 2, -1, -1))


def test_a_crop_of_the_whole_is_the_whole() -> None:
    images = pictures(4, 3, 8, 8)
    assert torch.equal(random_crop(images, 8, rng()), images)
    assert torch.equal(centre_crop(images, 8), images)
    assert random_crop(images[:0], 5, rng()).shape == (0, 3, 5, 5)


def test_the_middle_is_cut_out() -> None:
    images = pictures(4, 3, 9, 8)
    assert torch.equal(centre_crop(images, 4), images[:, :, 2:6, 2:6])
    assert torch.equal(centre_crop(images, 5), images[:, :, 2:7, 1:6])
    assert centre_crop(images, 5).data_ptr() == images[:, :, 2:, 1:].data_ptr()


def test_a_random_resized_crop_comes_in_the_size_asked_for() -> None:
    images = pictures(50, 3, 16, 16)
    small = random_resized_crop(images, (0.3, 1.0), rng(), 8)
    assert small.shape == (50, 3, 8, 8)
    assert torch.equal(
        random_resized_crop(images, (0.3, 1.0), rng(), 16), random_resized_crop(images, (0.3, 1.0), rng())
    )
    # the same rectangles: two pixels of one size average to one of half of it
    large = random_resized_crop(images.float(), (1.0, 1.0), rng(), 16)
    half = random_resized_crop(images.float(), (1.0, 1.0), rng(), 8)
    torch.testing.assert_close(half, torch.nn.functional.avg_pool2d(large, 2), atol=1e-2, rtol=0)


def test_all_shifts_are_equally_frequent() -> None:
    images = torch.arange(25, dtype=torch.uint8).view(1, 1, 5, 5).expand(5000, 1, 5, 5)
    centres = random_translate(images, 2, rng())[:, 0, 2, 2].long()
    counts = centres.bincount(minlength=25)  # the pixel in the middle tells the shift
    assert counts.min() > 140
    assert counts.max() < 260


@pytest.mark.parametrize("size", [(13, 11), (7, 20), (1, 1)])
def test_crop_equals_cutting_and_resizing_each_image(size: tuple[int, int]) -> None:
    pytest.importorskip("torchvision")
    from torchvision.transforms.v2 import functional as reference

    images = pictures(6, 3, 13, 11).float()
    left, top = torch.tensor([0, 1, 5, 10, 3, 0]), torch.tensor([0, 2, 12, 0, 3, 0])
    width, height = torch.tensor([11, 4, 6, 1, 5, 1]), torch.tensor([13, 7, 1, 13, 10, 1])
    result = resized_crop(images, left.float(), top.float(), width.float(), height.float(), size)
    for image, crop, x, y, w, h in zip(images, result, left, top, width, height, strict=True):
        expected = reference.resized_crop(image, int(y), int(x), int(h), int(w), list(size), antialias=False)
        torch.testing.assert_close(crop, expected, atol=1e-2, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40), (8, 64), (1, 1), (5, 1)])
def test_random_crops_have_the_area_and_aspect_asked_for_and_lie_inside(height: int, width: int) -> None:
    # each pixel holds its own position, so that the corners of the result tell the rectangle
    x = (torch.arange(width, dtype=torch.float32) + 0.5).expand(height, width)
    y = (torch.arange(height, dtype=torch.float32) + 0.5)[:, None].expand(height, width)
    crops = random_resized_crop(torch.stack([x, y]).expand(2000, 2, -1, -1), (0.35, 0.9), rng())
    assert crops[:, 0].min() >= 0.5 - 1e-4
    assert crops[:, 0].max() <= width - 0.5 + 1e-4
    if min(height, width) < 8:
        return
    middle = slice(height // 2 - 1, height // 2 + 1), slice(width // 2 - 1, width // 2 + 1)
    inner = crops[:, :, *middle]
    crop_width = (inner[:, 0, 0, 1] - inner[:, 0, 0, 0]) * width
    crop_height = (inner[:, 1, 1, 0] - inner[:, 1, 0, 0]) * height
    share, aspect = crop_width * crop_height / (height * width), crop_width / crop_height
    assert share.min() > 0.35 - 1e-3
    assert share.max() < 0.9 + 1e-3
    assert abs(share.mean().item() - 0.625) < 0.02
    # a wide image holds a rectangle with much of its area only if that is wide, too
    assert aspect.min() > 3 / 4 - 1e-3
    assert (aspect < (share * width / height).clamp_min(4 / 3) + 1e-3).all()
    assert (crop_width < width + 1e-2).all()
    assert (crop_height < height + 1e-2).all()


def test_the_whole_image_as_its_crop_is_the_image() -> None:
    images = pictures(4, 3, 6, 6)
    zero, size = torch.zeros(4), torch.full((4,), 6.0)
    torch.testing.assert_close(resized_crop(images, zero, zero, size, size, (6, 6)), images.float(), atol=1e-2, rtol=0)


def test_warp_equals_the_interpolation_of_scipy() -> None:
    from scipy.ndimage import affine_transform

    images = pictures(8, 3, 12, 9)
    matrices = torch.eye(2, 3) + 0.4 * torch.randn(8, 2, 3, generator=rng())
    matrices[:, :, 2] *= 8
    fill = torch.tensor([10.0, 100.0, 200.0])
    result = warp(images, matrices, fill.view(1, 3, 1, 1))
    centre = np.array([(12 - 1) / 2, (9 - 1) / 2])
    for image, matrix, warped in zip(images.float().numpy(), matrices.numpy(), result.numpy(), strict=True):
        by_rows = matrix[::-1, 1::-1]  # scipy counts (y, x)
        offset = centre + matrix[::-1, 2] - by_rows @ centre
        for channel in range(3):
            expected = affine_transform(
                image[channel], by_rows, offset, order=1, mode="grid-constant", cval=float(fill[channel])
            )
            np.testing.assert_allclose(warped[channel], expected, atol=0.05)


def test_a_quarter_turn_by_warp_is_exact() -> None:
    images = pictures(2, 1, 6, 6)
    angle = torch.tensor(math.pi / 2)
    turn = torch.stack([angle.cos(), -angle.sin(), torch.tensor(0.0), angle.sin(), angle.cos(), torch.tensor(0.0)])
    result = warp(images, turn.view(1, 2, 3).expand(2, 2, 3), torch.zeros(1, 1, 1, 1))
    assert torch.equal(result.round().to(torch.uint8), images.rot90(1, (2, 3)))


@pytest.mark.parametrize("side", [20, 11, 6])
def test_scaling_down_is_what_pillow_does(side: int) -> None:
    images = pictures(3, 3, 32, 32)
    expected = [
        np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
        for image in images.permute(0, 2, 3, 1).numpy()
    ]
    result = scaled(images, side).permute(0, 2, 3, 1).numpy()
    assert result.dtype == np.float32
    # Pillow rounds to whole levels twice, behind either axis
    assert np.abs(result - np.stack(expected)).max() < 1.1
