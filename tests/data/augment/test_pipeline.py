from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from visionlab.config.data import AugmentConfig
from visionlab.data.augment import Augment
from visionlab.data.augment.color import color_jitter
from visionlab.data.augment.cutout import cutout
from visionlab.data.augment.geometry import alternating_flip, random_resized_crop, random_translate, scaled
from visionlab.data.augment.mixing import mix
from visionlab.data.augment.randaugment import randaugment

MEAN = torch.tensor([0.49, 0.48, 0.45])
EVERYTHING: dict[str, Any] = {
    "crop_scale": (0.35, 1.0),
    "flip": "alternating",
    "translate": 2,
    "color_jitter": 0.4,
    "randaugment": {"ops": 2, "magnitude": 9},
    "cutout": 5,
    "mixup": 0.2,
    "cutmix": 1.0,
}
SETTINGS = [*({name: value} for name, value in EVERYTHING.items()), {"flip": "random"}, EVERYTHING]


def batch(shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return images, torch.arange(shape[0]) % 10, torch.arange(shape[0]) + 100


def augmented(settings: dict[str, Any], shape: tuple[int, ...], seed: int = 0, epoch: int = 0) -> tuple[Tensor, Tensor]:
    augment = Augment(AugmentConfig(**settings), 10, MEAN[: shape[1]])
    return augment(*batch(shape), epoch, torch.Generator().manual_seed(seed))


def test_everything_off_hands_back_the_same_tensors() -> None:
    images, labels, indices = batch((4, 3, 8, 8))
    result, targets = Augment(AugmentConfig(), 10, MEAN)(images, labels, indices, 0, torch.Generator())
    assert result is images
    assert targets is labels


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    "shape", [(12, 3, 8, 8), (6, 1, 12, 5), (1, 3, 9, 9), (0, 3, 8, 8), (0, 1, 4, 6), (5, 1, 1, 1)]
)
def test_shapes_types_and_range(settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    images, targets = augmented(settings, shape)
    assert images.shape == shape
    whole = set(settings) <= {"flip", "translate", "randaugment", "cutout"}
    assert images.dtype == (torch.uint8 if whole else torch.float32)
    assert shape[0] == 0 or (images.min() >= 0 and images.max() <= 255)
    if {"mixup", "cutmix"} & set(settings):
        assert targets.shape == (shape[0], 10)
        torch.testing.assert_close(targets.sum(1), torch.ones(shape[0]))
    else:
        assert torch.equal(targets, batch(shape)[1])


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_generator_alone_decides(settings: dict[str, Any]) -> None:
    shape = (12, 3, 8, 8)
    first = augmented(settings, shape)
    torch.manual_seed(99)  # the global generator has no say
    again, other = augmented(settings, shape), augmented(settings, shape, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(first[0], other[0]) == (settings == {"flip": "alternating"})


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_batch_given_is_left_as_it_is(settings: dict[str, Any]) -> None:
    images, labels, indices = batch((12, 3, 8, 8))
    Augment(AugmentConfig(**settings), 10, MEAN)(images, labels, indices, 0, torch.Generator().manual_seed(0))
    expected = batch((12, 3, 8, 8))
    assert all(torch.equal(a, b) for a, b in zip((images, labels, indices), expected, strict=True))


def test_operations_come_in_the_order_of_the_fields() -> None:
    images, labels, indices = batch((12, 3, 16, 16))
    settings = {name: EVERYTHING.get(name, (12, 12, 12, 12)) for name in AugmentConfig.model_fields}
    assert [name for name in settings if name != "progressive"] == list(EVERYTHING)
    config = AugmentConfig(**settings)
    assert config.randaugment is not None
    generator = torch.Generator().manual_seed(0)
    grey = (255 * MEAN).round().view(1, 3, 1, 1)
    expected = random_resized_crop(images, (0.35, 1.0), generator)
    expected = alternating_flip(expected, indices, epoch=3)
    expected = random_translate(expected, 2, generator)
    expected = color_jitter(expected, 0.4, generator)
    expected = randaugment(expected, config.randaugment, grey, generator)
    expected = cutout(expected, 5, grey, generator)
    expected = scaled(expected, 12)
    expected, targets = mix(expected, labels, 10, 0.2, 1.0, generator)
    result = augmented(settings, (12, 3, 16, 16), epoch=3)
    assert torch.equal(result[0], expected)
    assert torch.equal(result[1], targets)


@pytest.mark.parametrize("count", [4, 0])
def test_the_first_epochs_see_smaller_images(count: int) -> None:
    shape = (count, 3, 8, 8)
    sides = [augmented({"progressive": (5, 7)}, shape, epoch=epoch)[0].shape for epoch in range(2)]
    assert sides == [(count, 3, 5, 5), (count, 3, 7, 7)]
    assert torch.equal(augmented({"progressive": (5, 7)}, shape, epoch=2)[0], batch(shape)[0])


def test_what_is_cut_out_is_scaled() -> None:
    images, labels, indices = batch((4, 3, 9, 9))
    augment = Augment(AugmentConfig(progressive=(5,)), 10, MEAN, side=8)
    sizes = [augment(images, labels, indices, epoch, torch.Generator())[0].shape[-2:] for epoch in range(2)]
    assert sizes == [(5, 5), (8, 8)]


def test_cutout_is_of_the_mean_colour() -> None:
    images, _ = augmented({"cutout": 40}, (2, 3, 8, 8))
    assert torch.equal(images[:, :, 4, 4], torch.tensor([[125, 122, 115]] * 2, dtype=torch.uint8))


def test_epoch_mirrors_what_alternates() -> None:
    first, _ = augmented({"flip": "alternating"}, (12, 3, 8, 8), epoch=0)
    second, _ = augmented({"flip": "alternating"}, (12, 3, 8, 8), epoch=1)
    assert torch.equal(first, second.flip(-1))
    assert not torch.equal(first, second)
