"""MixUp and CutMix: images made of two, with targets that say how much of each."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from visionlab.data.augment.cutout import random_rectangles


def mix(
    images: Tensor, labels: Tensor, num_classes: int, mixup: float, cutmix: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mix each image with another of the batch, all in the same proportion.

    MixUp (Zhang et al. 2018) blends all pixels; CutMix (Yun et al. 2019) pastes a rectangle. The share of the first
    image, or for CutMix about that share, is drawn from Beta(alpha, alpha). Where both are on, one of them is drawn for
    each batch.

    Args:
        images: (B, C, H, W), values 0…255.
        labels: (B,) int64, below `num_classes` (K).
        mixup, cutmix: alpha of each; 0 is off, and one of them is on.

    Returns:
        Images (B, C, H, W) float32 and target probabilities (B, K) float32. Targets of CutMix are by the area that is
        really pasted.
    """
    size, device = images.shape[-2:], images.device
    if not cutmix:
        weights = _mixup_weights(mixup, size, generator)
    elif not mixup:
        weights = _cutmix_weights(cutmix, size, generator)
    else:
        # both are made, as the host would have to wait for a GPU to learn which is drawn
        coin = torch.rand((), generator=generator, device=device) < 0.5
        both = _mixup_weights(mixup, size, generator), _cutmix_weights(cutmix, size, generator)
        weights = torch.where(coin, *both)
    partner = torch.randperm(len(images), generator=generator, device=device)
    one_hot = torch.eye(num_classes, device=device)[labels]
    values = images.float()
    return (
        torch.lerp(values, values[partner], weights),
        torch.lerp(one_hot, one_hot[partner], weights.mean()),
    )


def symmetric_beta(alpha: float, uniform: Tensor) -> Tensor:
    """Numbers (…) from Beta(alpha, alpha), for alpha > 0, each made of four of `uniform` (4, …), from 0 to below 1.

    torch.distributions takes no generator, and a method with rejection would make the host wait for a GPU. Ulrich's
    formula (Devroye 1986, "Non-Uniform Random Variate Generation", chapter IX.4) gives a number from
    Beta(alpha + 1, alpha + 1): the share of one of two numbers from Gamma(alpha + 1) in their sum. Each of these times
    U ** (1 / alpha) is a number from Gamma(alpha) (chapter IX.3), which leads to the share of one in their sum.
    """
    u, v, first, second = uniform.neg().add(1).unbind()  # never 0, so that the logarithms are finite
    share = (1 + (1 - u ** (2 / (2 * alpha + 1))).sqrt() * torch.cos(2 * math.pi * v)) / 2
    # on the scale of logits, as a small alpha makes the powers too small for float32
    return (share.logit() + (first.log() - second.log()) / alpha).sigmoid()


def _share(alpha: float, generator: torch.Generator) -> Tensor:
    return symmetric_beta(alpha, torch.rand(4, generator=generator, device=generator.device))


def _mixup_weights(alpha: float, size: torch.Size, generator: torch.Generator) -> Tensor:
    """The weight (1, 1, H, W) of the second image in each pixel: the same everywhere."""
    return _share(alpha, generator).expand(1, 1, *size)


def _cutmix_weights(alpha: float, size: torch.Size, generator: torch.Generator) -> Tensor:
    """The weight (1, 1, H, W) of the second image in each pixel: 1 in a rectangle, 0 outside."""
    side = _share(alpha, generator).sqrt()
    height, width = (side * size[0]).long(), (side * size[1]).long()
    return random_rectangles(1, size, height, width, generator).float()
