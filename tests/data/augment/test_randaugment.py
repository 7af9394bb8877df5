from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

from visionlab.config.data import RandAugmentConfig
from visionlab.data.augment.geometry import warp
from visionlab.data.augment.randaugment import (
    GEOMETRIC,
    affine_matrices,
    apply_masked,
    apply_to_rows,
    randaugment,
)

GREY = torch.tensor([125.0, 122.0, 113.0]).view(1, 3, 1, 1)


def picture(height: int = 24, width: int = 18) -> Tensor:
    """(3, H, W) uint8, without a symmetry and with levels far from the ends."""
    generator = torch.Generator().manual_seed(5)
    return (110 + 4 * torch.randn(3, height, width, generator=generator).cumsum(1).cumsum(2)).clamp(20, 230).byte()


def references(image: Tensor, magnitude: int) -> dict[str, Tensor]:
    """What one operation may make of an image, one by one with Pillow (values) and torchvision (geometry)."""
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2 import functional as reference

    strength = magnitude / 30
    pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
    made = {
        "identity": pillow,
        "autocontrast": ImageOps.autocontrast(pillow),
        "equalize": ImageOps.equalize(pillow),
        "posterize": ImageOps.posterize(pillow, round(8 - 4 * strength)),
        "solarize": ImageOps.solarize(pillow, 255 * (1 - strength)),
    }
    height, width = image.shape[-2:]
    moved = {}
    for name, sign in (("+", 1), ("-", -1)):
        for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color, ImageEnhance.Sharpness):
            made[enhancer.__name__ + name] = enhancer(pillow).enhance(1 + 0.9 * strength * sign)
        shear = math.degrees(math.atan(0.3 * strength * sign))
        across, down = (int(150 / 331 * side * strength) * sign for side in (width, height))
        for kind, angle, shift, shears, centre in (
            ("rotate", 30.0 * strength * sign, [0, 0], [0.0, 0.0], None),
            ("shear_x", 0.0, [0, 0], [shear, 0.0], [0.0, 0.0]),
            ("shear_y", 0.0, [0, 0], [0.0, shear], [0.0, 0.0]),
            ("translate_x", 0.0, [across, 0], [0.0, 0.0], None),
            ("translate_y", 0.0, [0, down], [0.0, 0.0], None),
        ):
            # torchvision blends the border with its fill twice, so that the fill has to be made zero
            result = reference.affine(
                image - GREY[0], angle, shift, 1.0, shears, interpolation=InterpolationMode.BILINEAR, center=centre
            )
            moved[kind + name] = result + GREY[0]
    return {name: reference.pil_to_tensor(value) for name, value in made.items()} | moved


@pytest.mark.parametrize("magnitude", [9, 23])
def test_each_image_gets_one_of_the_reference_operations_and_all_of_them_occur(magnitude: int) -> None:
    pytest.importorskip("torchvision")
    image = picture()
    expected = references(image, magnitude)
    count = 1400
    config = RandAugmentConfig(ops=1, magnitude=magnitude)
    result = randaugment(image.expand(count, -1, -1, -1), config, GREY, torch.Generator().manual_seed(0))
    table = torch.stack(list(expected.values())).float()
    differences = (result.float()[:, None] - table).abs().flatten(2)  # (B, references, pixels)
    # Pillow cuts off fractions where we round, in several steps
    closest, which = differences.amax(dim=2).min(dim=1)
    assert closest.max() <= 2
    counts = dict(zip(expected, which.bincount(minlength=len(expected)).tolist(), strict=True))
    by_operation: dict[str, int] = {}
    for name, seen in counts.items():
        assert seen > 20, name
        by_operation[name.rstrip("+-")] = by_operation.get(name.rstrip("+-"), 0) + seen
    assert len(by_operation) == 14
    assert all(60 < seen < 140 for seen in by_operation.values()), by_operation  # 100 each, within 4 sigma


@pytest.mark.parametrize("channels", [1, 3])
def test_the_way_of_a_gpu_gives_what_the_way_of_a_cpu_gives(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = picture()[:channels].expand(150, -1, -1, -1)
    config, fill = RandAugmentConfig(ops=3, magnitude=20), GREY[:, :channels]
    by_rows = randaugment(images, config, fill, torch.Generator().manual_seed(0))
    monkeypatch.setattr("visionlab.data.augment.randaugment.apply_to_rows", apply_masked)
    masked = randaugment(images, config, fill, torch.Generator().manual_seed(0))
    # sums over another number of images may round another way
    assert (by_rows.float() - masked.float()).abs().max() <= 1
    assert (by_rows != masked).float().mean() < 0.001


@pytest.mark.parametrize("apply", [apply_to_rows, apply_masked])
def test_an_operation_changes_the_chosen_images_only(apply: Callable[..., Tensor]) -> None:
    images = picture().expand(6, -1, -1, -1)
    chosen = torch.tensor([True, False, False, True, True, False])
    levels = torch.arange(1.0, 7.0)
    result = apply(images.clone(), chosen, lambda part, added: part + added.view(-1, 1, 1, 1) - 0.3, levels)
    expected = images + torch.tensor([1, 0, 0, 4, 5, 0], dtype=torch.uint8).view(-1, 1, 1, 1)
    assert torch.equal(result, expected)


def test_matrices_of_other_kinds_are_the_identity() -> None:
    kind = torch.tensor([-3, -1, len(GEOMETRIC)])
    matrices = affine_matrices(kind, torch.tensor([1.0, -1.0, 0.3]), 20, 30)
    assert torch.equal(matrices, torch.eye(2, 3).expand(3, 2, 3))


def test_all_geometric_operations_of_a_batch_are_one_warp() -> None:
    kind = torch.arange(len(GEOMETRIC)).repeat(2)
    level = torch.tensor([0.8, -0.5]).repeat_interleave(len(GEOMETRIC))
    images = picture().expand(len(kind), -1, -1, -1)
    together = warp(images, affine_matrices(kind, level, 24, 18), GREY)
    for number in range(len(kind)):
        alone = warp(images[:1], affine_matrices(kind[number, None], level[number, None], 24, 18), GREY)
        torch.testing.assert_close(together[number], alone[0], atol=1e-3, rtol=0)
    assert len({tuple(image.flatten().tolist()) for image in together}) == len(kind)


def test_magnitude_zero_leaves_all_but_contrast_stretching() -> None:
    image = picture()
    config = RandAugmentConfig(ops=1, magnitude=0)
    result = randaugment(image.expand(300, -1, -1, -1), config, GREY, torch.Generator().manual_seed(0))
    changed = (result != image).flatten(1).any(1).float().mean().item()
    assert 0.07 < changed < 0.22  # autocontrast and equalize: 2 of 14


def test_more_operations_change_more_images() -> None:
    image = picture()
    shares = []
    for ops in (1, 2, 4):
        config = RandAugmentConfig(ops=ops, magnitude=15)
        result = randaugment(image.expand(400, -1, -1, -1), config, GREY, torch.Generator().manual_seed(0))
        shares.append((result == image).flatten(1).all(1).float().mean().item())
    assert shares[0] > 0.04 > shares[1] >= shares[2]


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (40, 1, 8, 8), (60, 3, 2, 5), (40, 1, 1, 1)])
def test_any_shape_gives_uint8_of_that_shape_and_leaves_the_input(shape: tuple[int, ...]) -> None:
    images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before = images.clone()
    fill = GREY[:, : shape[1]]
    result = randaugment(images, RandAugmentConfig(ops=3, magnitude=30), fill, torch.Generator().manual_seed(0))
    assert result.dtype == torch.uint8
    assert result.shape == shape
    assert torch.equal(images, before)
