"""The record recipes' network: shapes, sizes as documented, an identity start, the residual way."""

from __future__ import annotations

import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from visionlab.config.model import CifarNetConfig
from visionlab.models import cifarnet
from visionlab.models.cifarnet import CifarNet, Stage

SMALL = {"widths": (16, 24, 32)}


def build(channels: int = 3, side: int = 32, classes: int = 10, **settings: object) -> CifarNet:
    torch.manual_seed(0)
    config = CifarNetConfig.model_validate(settings)
    return CifarNet(config, in_channels=channels, image_size=(side, side), num_classes=classes)


@pytest.mark.parametrize(("channels", "side"), [(3, 32), (1, 8), (3, 64), (1, 3)])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_images_become_logits(channels: int, side: int, depth: int) -> None:
    network = build(channels, side, classes=4, depth=depth, residual=True, **SMALL).eval()
    assert network(torch.zeros(5, channels, side, side)).shape == (5, 4)


def test_the_documented_sizes_are_the_real_ones() -> None:
    rows = re.findall(
        r"\| (\d+), (\d+), (\d+) +\| +(\d) \| (yes|no) +\| +([\d,]+) \| +([\d,]+) \|", cifarnet.__doc__ or ""
    )
    assert len(rows) == 2
    for *widths, depth, residual, parameters, adds in rows:
        network = build(widths=[*map(int, widths)], depth=int(depth), residual=residual == "yes").eval()
        assert sum(weight.numel() for weight in network.parameters()) == int(parameters.replace(",", ""))
        with FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 3, 32, 32))
        assert counter.get_total_flops() == 2 * int(adds.replace(",", ""))


def test_convolutions_begin_by_passing_their_channels_through() -> None:
    stage = Stage(4, 8, 2, residual=False)
    images = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(stage.convs[0](images)[:, :4], images)
    wide = torch.randn(2, 8, 6, 6)
    torch.testing.assert_close(stage.convs[1](wide), wide)


def test_a_residual_stage_adds_what_leaves_its_first_convolution() -> None:
    torch.manual_seed(0)
    plain, residual = Stage(4, 8, 3, residual=False).eval(), Stage(4, 8, 3, residual=True).eval()
    residual.load_state_dict(plain.state_dict())
    images = torch.randn(2, 4, 6, 6)
    first = plain.activation(plain.norms[0](torch.nn.functional.max_pool2d(plain.convs[0](images), 2)))
    middle = plain.activation(plain.norms[1](plain.convs[1](first)))
    last = plain.norms[2](plain.convs[2](middle))
    torch.testing.assert_close(plain(images), plain.activation(last))
    torch.testing.assert_close(residual(images), plain.activation(last + first))


def test_of_the_whitening_layer_the_bias_alone_is_trained() -> None:
    network = build(**SMALL)
    network.initialize(torch.randn(50, 3, 32, 32))
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    assert network.whiten.weight.grad is None
    assert network.whiten.bias is not None
    assert network.whiten.bias.grad is not None
    assert network.head.weight.std().item() == pytest.approx(1)
