"""A network's linear layers multiplied into one: without activations between them, several are no more than that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def product(network: nn.Module) -> tuple[Tensor, Tensor]:
    """The one linear map that a network's linear layers make, in the order in which it has them, one after the other.

    W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2), and so on.

    Returns:
        Its matrix (K, I) and bias (K,), in 64 bits.
    """
    import torch
    from torch import nn

    matrix = bias = None
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            weight = layer.weight.detach().double()
            added = torch.zeros(len(weight)).double() if layer.bias is None else layer.bias.detach().double()
            matrix = weight if matrix is None else weight @ matrix
            bias = added if bias is None else weight @ bias + added
    assert matrix is not None
    assert bias is not None
    return matrix, bias


def linear_error(network: nn.Module, images: Tensor) -> float:
    """The largest difference of a network's logits for images (B, C, H, W) from those of its matrices' product."""
    import copy

    import torch

    precise = copy.deepcopy(network).double()
    with torch.inference_mode():
        logits: Tensor = precise(images.double())
        matrix, bias = product(network)
        return float((logits - images.double().flatten(1) @ matrix.T - bias).abs().max())
