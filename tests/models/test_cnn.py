"""The compact network: shapes, sizes as documented, whitening that whitens, an identity start."""

from __future__ import annotations

import re

import pytest
import torch
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
