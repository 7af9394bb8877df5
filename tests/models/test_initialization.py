"""Each rule's weights have the statistics that it names; the default leaves torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from visionlab.config.model import MlpConfig
from visionlab.models.mlp import MLP

INPUTS, UNITS = 400, 300


def first_layer(**settings: object) -> nn.Linear:
    """A matrix of 300 x 400, so that its standard deviation is known to 0.2 %."""
    torch.manual_seed(0)
    config = MlpConfig.model_validate({"hidden": (UNITS,), **settings})
    layer = MLP(config, in_channels=1, image_size=(20, 20), num_classes=10).body[1]
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.mark.parametrize(
    ("rule", "deviation"),
    [
        ("small_normal", 0.01),
        ("large_normal", 1.0),
        ("xavier", math.sqrt(2 / (INPUTS + UNITS))),
        ("kaiming", math.sqrt(2 / INPUTS)),
    ],
)
def test_a_random_rule_has_its_mean_and_deviation_and_no_biases(rule: str, deviation: float) -> None:
    layer = first_layer(init=rule)
    assert float(layer.weight.std()) == pytest.approx(deviation, rel=0.01)
    assert abs(float(layer.weight.mean())) < 0.01 * deviation
    assert not layer.bias.any()


def test_zeros_are_zeros_and_every_unit_the_same() -> None:
    layer = first_layer(init="zeros")
    assert not layer.weight.any()
    assert not layer.bias.any()


def test_an_orthogonal_layer_keeps_lengths() -> None:
    weight = first_layer(init="orthogonal").weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(UNITS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("rule", ["default", "kaiming", "orthogonal"])
def test_the_gain_multiplies_what_was_drawn(rule: str) -> None:
    plain, doubled = first_layer(init=rule), first_layer(init=rule, gain=2.5)
    assert torch.equal(doubled.weight, 2.5 * plain.weight)
    assert torch.equal(doubled.bias, plain.bias)


def test_the_default_is_torch_s_own_to_the_last_bit() -> None:
    layer = first_layer()
    torch.manual_seed(0)
    own = nn.Linear(INPUTS, UNITS)
    assert torch.equal(layer.weight, own.weight)
    assert torch.equal(layer.bias, own.bias)


def test_kaiming_keeps_the_variance_through_many_layers_of_relu_and_small_weights_lose_it() -> None:
    torch.manual_seed(0)
    spread = {}
    for rule in ("kaiming", "small_normal"):
        config = MlpConfig.model_validate({"hidden": (256,) * 10, "init": rule})
        body = MLP(config, in_channels=1, image_size=(16, 16), num_classes=10).body
        with torch.no_grad():
            spread[rule] = float(body(torch.randn(200, 1, 16, 16)).square().mean())
    assert 0.2 < spread["kaiming"] < 5
    assert spread["small_normal"] < 1e-8
