from __future__ import annotations

import pytest
import torch
from torch import Tensor

from visionlab.data.augment.mixing import mix, symmetric_beta

CLASSES = 7


def batch(count: int = 16, height: int = 10, width: int = 12) -> tuple[Tensor, Tensor]:
    """Flat images that each have a level of their own, all with different labels as far as they go."""
    levels = torch.linspace(0, 255, max(count, 1))[:count].to(torch.uint8)
    return levels.view(-1, 1, 1, 1).expand(count, 3, height, width), torch.arange(count) % CLASSES


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.2, 0.0), (0.0, 1.0), (0.4, 0.4)])
@pytest.mark.parametrize("seed", range(8))
def test_targets_say_how_much_of_each_image_there_is(mixup: float, cutmix: float, seed: int) -> None:
    images, labels = batch(CLASSES)
    mixed, targets = mix(images, labels, CLASSES, mixup, cutmix, torch.Generator().manual_seed(seed))
    assert mixed.shape == images.shape
    assert mixed.dtype == targets.dtype == torch.float32
    torch.testing.assert_close(targets.sum(1), torch.ones(CLASSES))
    # image k has level and label k: the mean level is the mean of the two levels by their targets
    levels = images[:, 0, 0, 0].float()
    torch.testing.assert_close(mixed.mean(dim=(1, 2, 3)), targets @ levels, atol=0.01, rtol=0)


def test_mixup_blends_all_pixels_by_the_same_share() -> None:
    images, labels = batch(CLASSES)
    mixed, targets = mix(images, labels, CLASSES, 1.0, 0.0, torch.Generator().manual_seed(3))
    assert torch.equal(mixed, mixed[:, :1, :1, :1].expand_as(mixed))
    shares = targets[targets > 0]
    assert len(shares.unique().round(decimals=4).unique()) <= 3  # share, 1 - share, and 1 where a partner is itself


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_pastes_one_rectangle_at_the_same_place_of_all_images_and_counts_its_pixels(seed: int) -> None:
    images, labels = batch(CLASSES)
    mixed, targets = mix(images, labels, CLASSES, 0.0, 1.0, torch.Generator().manual_seed(seed))
    pasted = (mixed != images).any(0).any(0)
    assert torch.equal(pasted, pasted.any(1)[:, None] & pasted.any(0)[None, :])
    area = pasted.float().mean()
    changed = (mixed != images).flatten(1).any(1)
    for image, target, label in zip(mixed[changed], targets[changed], labels[changed], strict=True):
        assert target[label] == 1 - area
        assert target.max() == max(area, 1 - area)
        assert len(image.unique()) <= 2
    assert torch.equal(targets[~changed], torch.eye(CLASSES)[labels[~changed]])


def test_cutmix_rectangles_are_as_large_as_in_the_paper() -> None:
    images, labels = batch(CLASSES, 40, 40)
    generator = torch.Generator().manual_seed(0)
    areas = []
    for _ in range(400):
        mixed, _ = mix(images, labels, CLASSES, 0.0, 1.0, generator)
        areas.append((mixed != images).any(0).any(0).float().mean())
    # sides of sqrt(u), u uniform, cut off at the border: the integral of u * (1 - sqrt(u) / 4) ** 2
    assert torch.stack(areas).mean().item() == pytest.approx(0.32, abs=0.04)


def test_both_are_drawn_where_both_are_on() -> None:
    images, labels = batch(2)
    generator = torch.Generator().manual_seed(0)
    blended = 0
    for _ in range(100):
        mixed, _ = mix(images, labels, CLASSES, 1.0, 1.0, generator)
        blended += bool(((mixed > 0) & (mixed < 255)).any())
    assert 10 < blended < 45  # half of the draws, and in half of these each of the two images has itself as partner


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    from scipy.stats import beta, kstest

    draws = symmetric_beta(alpha, torch.rand(4, 100_000, generator=torch.Generator().manual_seed(0)))
    assert draws.isfinite().all()
    assert draws.min() >= 0
    assert draws.max() <= 1
    assert draws.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    assert (draws < 0.1).float().mean().item() == pytest.approx(beta(alpha, alpha).cdf(0.1), abs=0.006)
    # float32 has no numbers between 1 - 6e-8 and 1, where a small alpha puts much of its mass
    inner = draws[(draws > 1e-4) & (draws < 1 - 1e-4)].double().numpy()
    low, high = beta(alpha, alpha).cdf([1e-4, 1 - 1e-4])
    assert kstest(inner, lambda x: (beta(alpha, alpha).cdf(x) - low) / (high - low)).pvalue > 0.001


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.2, 0.0), (0.0, 1.0), (0.4, 0.4)])
def test_an_empty_batch_stays_empty(mixup: float, cutmix: float) -> None:
    images, labels = batch(0)
    mixed, targets = mix(images, labels, CLASSES, mixup, cutmix, torch.Generator().manual_seed(0))
    assert mixed.shape == images.shape
    assert targets.shape == (0, CLASSES)


def test_a_single_image_mixes_with_itself() -> None:
    images, labels = batch(1)
    mixed, targets = mix(images, labels, CLASSES, 0.4, 0.4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixed, images.float())
    torch.testing.assert_close(targets, torch.eye(CLASSES)[labels])
