"""Where a network looks: Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks …").

The map is the last one that is wider than a pixel: what convolutions have made of the image before it is pooled. It is
found by watching the network at work, so that it is the right one for any convolutional network.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from visionlab.training.classifier import Classifier


class NoFeatureMapError(Exception):
    """The network is none whose last feature map shows where it looks."""


def grad_cam(module: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """How much each place of an image speaks for a class.

    Args:
        module: in evaluation mode.
        images: (B, C, H, W), normalised, on the module's device.
        labels: (B,) int64, the class of each image that is asked about.

    Returns:
        (B, H, W) on the same device, 0 nothing to 1 most of all; only zeros where no place speaks for the class.

    Raises:
        NoFeatureMapError: there is no such map, or there are tokens instead of pixels.
    """
    watch = _Watch()
    with ExitStack() as hooks, torch.enable_grad():
        for layer in module.network.modules():
            hooks.callback(layer.register_forward_hook(watch).remove)
        # also of a frozen network the map has to know where it comes from; a copy may be changed in place
        logits = module(images.requires_grad_().clone())
    if watch.found is None or watch.tokens:
        raise NoFeatureMapError
    chosen = logits.gather(1, labels.unsqueeze(1)).sum()
    (gradient,) = torch.autograd.grad(chosen, watch.found)
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # (B, channels, 1, 1)
    speaks = (weights * watch.found.detach()).sum(dim=1, keepdim=True).relu()  # (B, 1, h, w)
    whole = interpolate(speaks, images.shape[-2:], mode="bilinear", align_corners=False).squeeze(1)
    most = whole.amax(dim=(1, 2), keepdim=True)
    return torch.where(most > 0, whole / most, 0.0)


class _Watch:
    """Is called with the output of every layer in the order in which they are done.

    Attributes:
        found: the last output (B, channels, h, w) that is wider than a pixel, of the first convolution or later.
        tokens: whether there was an output (B, N, channels).
    """

    def __init__(self) -> None:
        self.found: Tensor | None = None
        self.tokens = self._convolved = False

    def __call__(self, layer: nn.Module, inputs: Any, output: Any) -> None:
        self._convolved |= isinstance(layer, nn.Conv2d)
        if isinstance(output, Tensor):
            self.tokens |= output.ndim == 3
            if self._convolved and output.ndim == 4 and output.shape[2:].numel() > 1:
                self.found = output
