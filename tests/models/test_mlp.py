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


def test_the_names_and_draws_of_the_default_network_are_those_of_linear_layers_in_a_row() -> None:
    torch.manual_seed(0)
    network = build(MlpConfig(hidden=(6, 6), dropout=0.5))
    torch.manual_seed(0)
    by_hand = {"body.1": nn.Linear(64, 6), "body.4": nn.Linear(6, 6), "head": nn.Linear(6, 10)}
    state = network.state_dict()
    assert list(state) == [f"{name}.{part}" for name in by_hand for part in ("weight", "bias")]
    for name, layer in by_hand.items():
        assert torch.equal(state[f"{name}.weight"], layer.weight)
        assert torch.equal(state[f"{name}.bias"], layer.bias)
    assert list(build(MlpConfig(hidden=(6, 6))).state_dict())[2] == "body.3.weight"


@pytest.mark.parametrize(
    ("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm), ("group", nn.GroupNorm)]
)
def test_normalisation_stands_before_each_activation(norm: str, kind: type[nn.Module]) -> None:
    network = build(MlpConfig.model_validate({"hidden": (24, 16), "norm": norm}))
    kinds = [type(layer) for layer in network.body]
    assert kinds == [nn.Flatten, *[nn.Linear, kind, nn.ReLU] * 2]
    with torch.no_grad():
        normal = network.body[:3](5 + 3 * torch.randn(50, 1, 8, 8))  # (B, 24)
    taken = {"batch": normal, "layer": normal.T, "group": normal.view(50 * 8, 3).T}[norm]
    torch.testing.assert_close(taken.mean(dim=0), torch.zeros(taken.shape[1]), atol=1e-4, rtol=0)
    deviation = taken.std(dim=0, correction=0)
    assert float(deviation.median()) == pytest.approx(1, abs=0.01)


def test_a_shortcut_goes_around_the_layers_whose_widths_match_and_around_no_others() -> None:
    network = build(MlpConfig(hidden=(6, 6, 5, 5), residual=True))
    images = torch.randn(3, 1, 8, 8)
    linear = [layer for layer in network.body.modules() if isinstance(layer, nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linear] == [(6, 64), (6, 6), (5, 6), (5, 5)]
    first = torch.relu(linear[0](images.flatten(1)))
    second = first + torch.relu(linear[1](first))
    third = torch.relu(linear[2](second))
    fourth = third + torch.relu(linear[3](third))
    torch.testing.assert_close(network(images), network.head(fourth))
    assert [isinstance(layer, mlp.Residual) for layer in network.body] == [False] * 3 + [True] + [False] * 2 + [True]
