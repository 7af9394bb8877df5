from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from visionlab.config.model import ResNetConfig
from visionlab.models import resnet
from visionlab.models.resnet import BasicBlock, ResNet


def build(depth: int, *, width: int | None = None, in_channels: int = 3) -> ResNet:
    config = ResNetConfig(depth=depth, width=width)
    return ResNet(config, in_channels=in_channels, image_size=(32, 32), num_classes=10)


@pytest.mark.parametrize("depth", [18, 34, 20, 32, 44, 56, 110])
def test_docstring_states_parameters_and_multiply_adds(depth: int) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(depth).eval()
        network(torch.empty(1, 3, 32, 32))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    row = f"| {depth:5} | {parameters:10,} | {counter.get_total_flops() // 2:13,} |"
    assert row in (resnet.__doc__ or "")


@pytest.mark.parametrize("depth", [18, 34, 20, 32, 44, 56, 110])
def test_depth_counts_the_layers_with_weights_outside_shortcuts(depth: int) -> None:
    with torch.device("meta"):
        network = build(depth)
    layers = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert sum("shortcut" not in name for name in layers) == depth


@pytest.mark.parametrize(("depth", "side"), [(18, 8), (18, 32), (20, 8), (20, 33), (20, 224)])
def test_any_image_size_and_channel_count(depth: int, side: int) -> None:
    network = build(depth, width=4, in_channels=1).eval()
    assert network(torch.randn(2, 1, side, side)).shape == (2, 10)


def test_no_images_give_no_logits() -> None:
    assert build(20, width=4).eval()(torch.empty(0, 3, 32, 32)).shape == (0, 10)


def test_width_doubles_from_stage_to_stage() -> None:
    for depth, first, last in [(18, 64, 512), (20, 16, 64)]:
        with torch.device("meta"):
            network = build(depth)
        assert network.stages[0].residual[0].out_channels == first
        assert network.head.in_features == last
    assert build(20, width=8).head.in_features == 32


def test_every_block_starts_as_its_shortcut() -> None:
    block = BasicBlock(4, 4, stride=1)
    features = torch.rand(3, 4, 6, 6)
    torch.testing.assert_close(block(features), features)
    network = build(20, width=4)
    last_norms = [block.residual[-1].weight for block in network.stages]
    assert len(last_norms) == 9
    assert not any(weight.any() for weight in last_norms)


def test_convolutions_start_with_the_variance_of_kaiming() -> None:
    torch.manual_seed(0)
    network = build(18)
    weight = network.stages[-1].residual[0].weight  # (512, 512, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = build(20, width=4)
    for norm in (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)
    network(torch.randn(4, 3, 16, 16)).square().sum().backward()
    still = [name for name, parameter in network.named_parameters() if not parameter.grad.any()]
    assert still == []
