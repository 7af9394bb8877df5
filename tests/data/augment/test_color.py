from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from visionlab.data.augment.color import (
    adjust_brightness,
    adjust_contrast,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    color_jitter,
    equalize,
    posterize,
    solarize,
)

FACTORS = torch.tensor([0.0, 0.1, 0.7, 1.0, 1.3, 1.9])
ENHANCEMENTS = [
    (adjust_brightness, ImageEnhance.Brightness),
    (adjust_contrast, ImageEnhance.Contrast),
    (adjust_saturation, ImageEnhance.Color),
    (adjust_sharpness, ImageEnhance.Sharpness),
]


def smooth_pictures(count: int, channels: int, height: int, width: int) -> Tensor:
    """uint8 images whose levels are neither evenly spread nor the whole range."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(count, channels, height, width, generator=generator).cumsum(2).cumsum(3)
    return (110 + 5 * values).clamp(20, 230).to(torch.uint8)


def to_pillow(image: Tensor) -> Image.Image:
    array = image.permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def from_pillow(image: Image.Image) -> Tensor:
    array = torch.from_numpy(np.array(image))
    return array.unsqueeze(0) if array.ndim == 2 else array.permute(2, 0, 1)


def difference(result: Tensor, expected: Image.Image) -> float:
    """The greatest difference of two images, in levels."""
    return (result.float() - from_pillow(expected).float()).abs().max().item()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("adjust", "enhancer"), ENHANCEMENTS)
def test_enhancements_equal_those_of_pillow(
    adjust: Callable[[Tensor, Tensor], Tensor], enhancer: type[ImageEnhance.Brightness], channels: int
) -> None:
    images = smooth_pictures(len(FACTORS), channels, 16, 20)
    result = adjust(images.float(), FACTORS)
    for image, adjusted, factor in zip(images, result, FACTORS.tolist(), strict=True):
        # Pillow cuts off fractions, and rounds the grey and the smoothed pixels that it blends with
        assert difference(adjusted, enhancer(to_pillow(image)).enhance(factor)) < 2


@pytest.mark.parametrize(("adjust", "_enhancer"), ENHANCEMENTS)
def test_factor_one_changes_nothing(adjust: Callable[[Tensor, Tensor], Tensor], _enhancer: object) -> None:
    images = smooth_pictures(3, 3, 8, 8).float()
    assert torch.equal(adjust(images, torch.ones(3)), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (20, 40), (8, 8)])
def test_equalize_equals_that_of_pillow(channels: int, height: int, width: int) -> None:
    images = smooth_pictures(6, channels, height, width)
    images[0] = 77  # a flat channel
    images[1, :, : height // 2] = 255
    result = equalize(images)
    assert result.dtype == torch.uint8
    assert all(difference(a, ImageOps.equalize(to_pillow(b))) == 0 for a, b in zip(result, images, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
def test_autocontrast_equals_that_of_pillow(channels: int) -> None:
    images = smooth_pictures(4, channels, 10, 12)
    images[0] = 77
    result = autocontrast(images)
    # Pillow cuts off fractions
    assert all(difference(a, ImageOps.autocontrast(to_pillow(b))) < 1.01 for a, b in zip(result, images, strict=True))
    assert result[1:].amin(dim=(2, 3)).max() == 0
    assert result[1:].amax(dim=(2, 3)).min() == 255


@pytest.mark.parametrize("bits", [1, 4, 7, 8])
def test_posterize_equals_that_of_pillow(bits: int) -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert difference(posterize(images, bits)[0], ImageOps.posterize(to_pillow(images[0]), bits)) == 0


@pytest.mark.parametrize("threshold", [0.0, 128.0, 178.5, 255.0])
def test_solarize_equals_that_of_pillow(threshold: float) -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert difference(solarize(images, threshold)[0], ImageOps.solarize(to_pillow(images[0]), threshold)) == 0


def test_jitter_draws_brightness_for_each_image_evenly_between_the_bounds() -> None:
    images = torch.full((3000, 1, 4, 4), 100, dtype=torch.uint8)
    # a flat image is its own mean, so only the brightness shows
    factors = color_jitter(images, 0.4, torch.Generator().manual_seed(0))[:, 0, 0, 0] / 100
    assert 0.6 <= factors.min() < 0.61
    assert 1.39 < factors.max() <= 1.4
    assert abs(factors.mean().item() - 1) < 0.02
    assert abs(factors.std().item() - 0.8 / 12**0.5) < 0.01


def test_jitter_keeps_the_range_and_changes_contrast_and_saturation() -> None:
    images = smooth_pictures(200, 3, 8, 8)
    result = color_jitter(images, 1.0, torch.Generator().manual_seed(0))
    assert result.dtype == torch.float32
    assert result.min() >= 0
    assert result.max() <= 255

    def spread(values: Tensor) -> Tensor:
        return values.float().std(dim=(1, 2, 3)) / values.float().mean(dim=(1, 2, 3)).clamp_min(1)

    def colour(values: Tensor) -> Tensor:
        return values.float().std(dim=1).mean(dim=(1, 2)) / spread(values).clamp_min(1e-3)

    for measure in (spread, colour):
        ratio = measure(result) / measure(images)
        assert (ratio < 0.7).any()
        assert (ratio > 1.3).any()


def test_grey_images_have_no_saturation_to_change() -> None:
    images = smooth_pictures(4, 1, 8, 8).float()
    assert torch.equal(adjust_saturation(images, torch.full((4,), 1.7)), images)


def test_images_too_small_to_have_an_inside_keep_their_sharpness() -> None:
    images = smooth_pictures(2, 3, 2, 9).float()
    assert torch.equal(adjust_sharpness(images, torch.full((2,), 1.7)), images)
