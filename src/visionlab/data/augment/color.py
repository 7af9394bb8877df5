"""Operations on the values of pixels: brightness, contrast, saturation, sharpness and tone curves.

They have the meaning that Pillow's ImageEnhance and ImageOps give them. Enhancements take an image apart from a
degenerate one (black, flat grey, colourless, blurred): factor 0 gives that one, 1 the image, 2 twice the difference.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d


def color_jitter(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness, then contrast, then saturation of each image by factors from 1 - strength to 1 + strength.

    Args:
        images: (B, C, H, W), values 0…255.
        strength: 0 to 1.

    Returns:
        (B, C, H, W) float32, values 0…255.
    """
    draws = torch.rand(3, len(images), generator=generator, device=images.device)
    brightness, contrast, saturation = 1 + strength * (2 * draws - 1)
    images = adjust_brightness(images.float(), brightness)
    images = adjust_contrast(images, contrast)
    return adjust_saturation(images, saturation)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, C, H, W) float32 images with black, by `factor` (B,)."""
    return (images * factor.view(-1, 1, 1, 1)).clamp_(0, 255)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, C, H, W) float32 images with their mean brightness, by `factor` (B,)."""
    return _blend(_grey(images).mean(dim=(1, 2, 3), keepdim=True), images, factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, C, H, W) float32 images with their grey version, by `factor` (B,); grey images stay as they are."""
    return images if images.shape[1] == 1 else _blend(_grey(images), images, factor)


def adjust_sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend (B, C, H, W) float32 images with a smoothed version, by `factor` (B,); the outermost pixels stay."""
    if min(images.shape[-2:]) < 3:
        return images
    inner = images[..., 1:-1, 1:-1]
    # Pillow's SMOOTH: weight 5 for the pixel and 1 for each of its 8 neighbours
    smooth = (9 * avg_pool2d(images, 3, stride=1) + 4 * inner) / 13
    result = images.clone()
    result[..., 1:-1, 1:-1] = _blend(smooth, inner, factor)
    return result


def autocontrast(images: Tensor) -> Tensor:
    """Stretch each channel of (B, C, H, W) images over 0…255, to float32; a channel of one value stays."""
    low, high = images.amin(dim=(2, 3), keepdim=True).float(), images.amax(dim=(2, 3), keepdim=True).float()
    return torch.where(high > low, (images - low) * 255 / (high - low), images)


def equalize(images: Tensor) -> Tensor:
    """Give each channel of (B, C, H, W) uint8 images a flat histogram.

    As in Pillow, a channel stays as it is where fewer than 255 of its pixels lie below its highest level.
    """
    channels = images.flatten(2).flatten(0, 1).long()  # (B * C, H * W)
    rows = torch.arange(len(channels), device=images.device)
    # counted in one dimension, where PyTorch has a deterministic GPU kernel
    bins = (channels + 256 * rows[:, None]).flatten()
    histogram = torch.zeros(256 * len(channels), dtype=torch.int64, device=images.device)
    histogram = histogram.scatter_add_(0, bins, torch.ones_like(bins)).view(-1, 256)
    below = histogram.cumsum(1) - histogram
    step = below.gather(1, channels.amax(1, keepdim=True)) // 255
    curve = ((below + step // 2) // step.clamp_min(1)).clamp_(max=255)
    return torch.where(step > 0, curve.gather(1, channels), channels).view(images.shape).to(torch.uint8)


def posterize(images: Tensor, bits: int) -> Tensor:
    """Keep the highest `bits` bits of (B, C, H, W) uint8 images."""
    return images.bitwise_and(256 - 2 ** (8 - bits))


def solarize(images: Tensor, threshold: float) -> Tensor:
    """Invert the values from `threshold` upwards of (B, C, H, W) uint8 images."""
    return torch.where(images >= threshold, 255 - images, images)


def _grey(images: Tensor) -> Tensor:
    """Luma (B, 1, H, W) of float32 images with 1 or 3 channels (ITU-R BT.601)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return (red * 0.299).add_(green, alpha=0.587).add_(blue, alpha=0.114).unsqueeze(1)


def _blend(degenerate: Tensor, images: Tensor, factor: Tensor) -> Tensor:
    """degenerate + factor * (images - degenerate), within 0…255."""
    return torch.lerp(degenerate, images, factor.view(-1, 1, 1, 1)).clamp_(0, 255)
