"""What images are normalised by."""

from __future__ import annotations

import torch
from torch import Tensor

from visionlab.data.mapped import Images, parts


def statistics(images: Images) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of (N, C, H, W) uint8 pixels scaled to 0…1."""
    channels = images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.float64)
    for part in parts(images):
        for channel in range(channels):
            counts[channel] += torch.bincount(part[:, channel].flatten(), minlength=256)
    share = counts / counts.sum(dim=1, keepdim=True)
    value = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ value
    variance = (share * (value - mean.unsqueeze(1)).square()).sum(dim=1)
    # an image set of one colour has no variance to divide by
    return mean.float(), variance.sqrt().clamp_min(1 / 255).float()
