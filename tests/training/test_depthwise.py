"""Depthwise convolutions whose gradients are computed in 32 bits."""

from __future__ import annotations

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision, Precision
from torch import Tensor, nn

from visionlab.config.trainer import TrainerConfig
from visionlab.training.depthwise import DepthwisePrecision, precision_plugins

LOWERED = TrainerConfig(accelerator="cpu", precision="bf16-mixed")


def depthwise(**options: object) -> nn.Conv2d:
    return nn.Conv2d(6, 6, groups=6, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "layer", "count"),
    [
        (LOWERED, depthwise(kernel_size=3), 1),
        (LOWERED, nn.Conv2d(6, 6, 3), 0),
        (LOWERED, nn.Conv2d(1, 6, 3), 0),
        (LOWERED, nn.Conv2d(6, 6, 3, groups=3), 0),
        (LOWERED.model_copy(update={"precision": "32-true"}), depthwise(kernel_size=3), 0),
        (LOWERED.model_copy(update={"accelerator": "gpu"}), depthwise(kernel_size=3), 0),
        (LOWERED.model_copy(update={"compile": True}), depthwise(kernel_size=3), 0),
    ],
)
def test_it_is_used_where_it_gains(config: TrainerConfig, layer: nn.Module, count: int) -> None:
    assert len(precision_plugins(config, nn.Sequential(layer, nn.ReLU()))) == count


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1, "bias": False},
        {"kernel_size": 5, "stride": 2, "padding": (1, 2)},
        {"kernel_size": 3, "dilation": 2},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    ],
)
def test_outputs_are_those_of_bfloat16_and_gradients_nearer_to_those_of_32_bits(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    layer = depthwise(**options)
    images = torch.randn(4, 6, 9, 9).bfloat16().float()
    layer.weight.data = layer.weight.data.bfloat16().float()
    exact, _ = outputs_and_gradients(layer, images, None)
    plain, plain_gradients = outputs_and_gradients(layer, images, lowered=False)
    ours, our_gradients = outputs_and_gradients(layer, images, lowered=True)
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, plain)
    assert not torch.equal(ours.float(), exact)
    _, exact_gradients = outputs_and_gradients(layer, images, None)
    for by_us, by_torch, wanted in zip(our_gradients, plain_gradients, exact_gradients, strict=True):
        assert by_us.shape == wanted.shape
        assert error(by_us, wanted) <= error(by_torch, wanted) + 1e-6
        assert error(by_us, wanted) < 0.01


def outputs_and_gradients(layer: nn.Module, images: Tensor, lowered: bool | None) -> tuple[Tensor, list[Tensor]]:
    """Of a layer in 32 bits (None), under Lightning's own autocast (False), under ours (True)."""
    mixed = DepthwisePrecision if lowered else MixedPrecision
    plugin = Precision() if lowered is None else mixed("bf16-mixed", "cpu")
    images = images.clone().requires_grad_()
    with plugin.forward_context():
        outputs = layer(images)
    weights = torch.linspace(-1, 1, outputs.numel()).bfloat16().float().view_as(outputs)
    gradients = torch.autograd.grad((outputs.float() * weights).sum(), [images, *layer.parameters()])
    return outputs, list(gradients)


def error(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


def test_of_frozen_filters_only_the_images_get_a_gradient() -> None:
    layer = depthwise(kernel_size=3).requires_grad_(False)
    images = torch.randn(2, 6, 5, 5, requires_grad=True)
    with DepthwisePrecision("bf16-mixed", "cpu").forward_context():
        layer(images).sum().backward()
    assert images.grad is not None
    assert layer.weight.grad is None
