"""The compact network: shapes, sizes as documented, whitening that whitens, an identity start."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from visionlab.config.model import CnnConfig
from visionlab.models import cnn
from visionlab.models.cnn import CNN


def build(channels: int = 3, side: int = 32, classes: int = 10, **settings: object) -> CNN:
    torch.manual_seed(0)
    return CNN(CnnConfig(**settings), in_channels=channels, image_size=(side, side), num_classes=classes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("channels", "side"), [(3, 32), (1, 8), (3, 64), (1, 3)])
@pytest.mark.parametrize("batch", [0, 1, 5])
def test_images_become_logits(channels: int, side: int, batch: int) -> None:
    network = build(channels, side, classes=4, width=8).eval()
    assert network(torch.zeros(batch, channels, side, side)).shape == (batch, 4)


def test_the_documented_sizes_are_the_real_ones() -> None:
    rows = re.findall(r"(\d)x(\d+)x\d+ +([\d,]+) +([\d,]+) +([\d.]+) M", cnn.__doc__ or "")
    assert len(rows) == 2
    for channels, side, parameters, trained, adds in rows:
        network = build(int(channels), int(side)).eval()
        assert sum(weight.numel() for weight in network.parameters()) == int(parameters.replace(",", ""))
        counted = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
        assert counted == int(trained.replace(",", ""))
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, int(channels), int(side), int(side)))
        assert f"{counter.get_total_flops() / 2e6:.1f}" == adds


def test_whitened_patches_are_uncorrelated_with_unit_variance() -> None:
    generator = torch.Generator().manual_seed(1)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(200, 3, 14, 14, generator=generator), 3, stride=1)
    network = build(side=12, width=8)
    network.initialize(smooth)
    responses = network.whiten(smooth)  # (N, 24, 11, 11): the filters, then their negatives
    assert torch.equal(responses[:, :12], -responses[:, 12:])
    flat = responses[:, :12].transpose(0, 1).flatten(1)
    covariance = flat @ flat.T / flat.shape[1]
    torch.testing.assert_close(covariance, torch.eye(12), atol=0.05, rtol=0)


def test_the_whitening_layer_is_not_trained() -> None:
    network = build(width=8)
    before = network.whiten.weight.clone()
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    assert network.whiten.weight.grad is None
    assert torch.equal(network.whiten.weight, before)


def test_the_second_convolution_of_a_stage_starts_as_the_identity() -> None:
    convolution = build(width=8).stages[1][3]
    features = torch.randn(2, 8, 6, 6)
    torch.testing.assert_close(convolution(features), features)


def test_the_default_draws_what_plain_layers_draw() -> None:
    network = build(width=8)
    torch.manual_seed(0)
    whiten = nn.Conv2d(3, 24, 2, bias=False)
    channels, plain = 24, []
    for width in (8, 16, 32):
        plain += [nn.Conv2d(channels, width, 4, bias=False), nn.Conv2d(width, width, 3, bias=False)]
        channels = width
    head = nn.Linear(32, 10, bias=False)
    nn.init.normal_(head.weight, std=1 / 32)
    assert torch.equal(network.whiten.weight, whiten.weight)
    # the filters that do not start as the identity
    assert torch.equal(network.stages[2][0].weight[8:], plain[2].weight[8:])
    assert torch.equal(network.head.weight, head.weight)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 6
    assert "stages.1.1.running_mean" in network.state_dict()


# the dimensions of (B, groups, C / groups, H, W) over which mean and variance are taken
@pytest.mark.parametrize(
    ("norm", "groups", "dimensions"),
    [("batch", 24, (0, 3, 4)), ("layer", 1, (2, 3, 4)), ("group", 8, (2, 3, 4)), ("instance", 24, (2, 3, 4))],
)
def test_a_normalisation_takes_together_what_it_says(norm: str, groups: int, dimensions: tuple[int, ...]) -> None:
    network = build(width=24, norm=norm)
    layer = network.stages[1][1]
    features = 5 + 3 * torch.randn(4, 24, 6, 6) * torch.rand(4, 24, 1, 1)
    grouped = features.view(4, groups, -1, 6, 6).double()
    centred = grouped - grouped.mean(dim=dimensions, keepdim=True)
    normal = centred / (centred.square().mean(dim=dimensions, keepdim=True) + layer.eps).sqrt()
    torch.testing.assert_close(layer(features), normal.view_as(features).float(), atol=1e-4, rtol=1e-4)


def test_every_normalisation_learns_shifts_and_no_scales_and_none_shifts_alone() -> None:
    counts = {}
    for norm in ("batch", "layer", "group", "instance", "none"):
        network = build(width=8, norm=norm)
        counts[norm] = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
        network(torch.randn(2, 3, 32, 32)).sum().backward()
        assert network.stages[1][1].bias.grad.any()
    assert len(set(counts.values())) == 1
    shift = build(width=8, norm="none").stages[1][1]
    torch.nn.init.constant_(shift.bias, 2.5)
    features = torch.randn(2, 8, 3, 3)
    assert torch.equal(shift(features), features + 2.5)
