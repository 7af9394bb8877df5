from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from visionlab.config.model import MlpConfig
from visionlab.models import mlp
from visionlab.models.mlp import MLP


def build(config: MlpConfig, channels: int = 1, side: int = 8) -> MLP:
    return MLP(config, in_channels=channels, image_size=(side, side), num_classes=10)


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 32)])
def test_docstring_states_parameters_and_multiply_adds(channels: int, side: int) -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = build(MlpConfig(), channels, side)
        network(torch.empty(1, channels, side, side))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    images = f"{channels}x{side}x{side}"
    row = f"| {images:7} | {parameters:10,} | {counter.get_total_flops() // 2:13,} |"
    assert row in (mlp.__doc__ or "")


def test_without_hidden_layers_it_is_softmax_regression() -> None:
    network = build(MlpConfig(hidden=()))
    images = torch.randn(5, 1, 8, 8)
    torch.testing.assert_close(network(images), images.flatten(1) @ network.head.weight.T + network.head.bias)


@pytest.mark.parametrize(
    ("name", "function"),
    [("relu", torch.relu), ("gelu", nn.functional.gelu), ("silu", nn.functional.silu), ("tanh", torch.tanh)],
)
def test_activation_follows_each_hidden_layer(name: str, function: object) -> None:
    network = build(MlpConfig(hidden=(6, 5), activation=name))
    first, second = (layer for layer in network.body if isinstance(layer, nn.Linear))
    images = torch.randn(3, 1, 8, 8)
    expected = network.head(function(second(function(first(images.flatten(1))))))
    torch.testing.assert_close(network(images), expected)


def test_dropout_only_while_training() -> None:
    network = build(MlpConfig(hidden=(64,), dropout=0.5))
    images = torch.randn(3, 1, 8, 8)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_images_need_not_be_square_and_none_give_no_logits() -> None:
    network = MLP(MlpConfig(hidden=(4,)), in_channels=3, image_size=(5, 7), num_classes=2).eval()
    assert network(torch.empty(0, 3, 5, 7)).shape == (0, 2)


def test_memory_format_makes_no_difference() -> None:
    network = build(MlpConfig(hidden=(4,)), channels=3)
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(network(images.to(memory_format=torch.channels_last)), network(images))
