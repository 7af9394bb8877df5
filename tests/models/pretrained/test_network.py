"""Pretrained networks: sizes, normalisation, grey images, the head."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from visionlab.config.model import PretrainedConfig
from visionlab.errors import UserError
from visionlab.models.pretrained import network
from visionlab.models.pretrained.network import Pretrained
from visionlab.models.stages import stages

FAST = "test_resnet"  # the smallest of timm's


def build(side: int = 32, channels: int = 3, classes: int = 4, **settings: Any) -> Pretrained:
    torch.manual_seed(0)
    config = PretrainedConfig(**({"arch": FAST, "weights": "none"} | settings))
    return Pretrained(config, in_channels=channels, image_size=(side, side), num_classes=classes).eval()


def seen(built: Pretrained, images: Tensor) -> Tensor:
    """What the backbone is given."""
    given: list[Tensor] = []
    handle = built.backbone.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    built(images)
    handle.remove()
    return given[0]


def test_the_documented_sizes_are_the_real_ones() -> None:
    text = " ".join((network.__doc__ or "").split())
    built = build(224, arch="tf_efficientnet_lite0")
    parameters = sum(parameter.numel() for parameter in built.backbone.parameters())
    assert f"{parameters:,} parameters without its head, F = {built.head.in_features}" in text
    rows = re.findall(r"3x(\d+)x\d+ ([\d.]+) M", text)
    assert len(rows) == 2
    for side, adds in rows:
        counted = build(int(side), arch="tf_efficientnet_lite0")
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            counted.features(torch.zeros(1, 3, int(side), int(side)))
        assert f"{counter.get_total_flops() / 2e6:.1f}" == adds


@pytest.mark.parametrize(
    ("side", "asked", "given"), [(32, None, 128), (100, None, 128), (160, None, 160), (32, 64, 64), (160, 96, 96)]
)
def test_small_images_are_scaled_up_and_all_of_them_where_a_size_is_asked_for(
    side: int, asked: int | None, given: int
) -> None:
    assert seen(build(side, input_size=asked), torch.zeros(1, 3, side, side)).shape == (1, 3, given, given)


def test_a_network_of_one_size_gets_that_and_no_other() -> None:
    small = "test_vit"
    side = build(32, arch=small).size
    assert side is not None
    assert seen(build(32, arch=small), torch.zeros(1, 3, 32, 32)).shape[-2:] == side
    with pytest.raises(UserError, match=rf"model.input_size: expected {side[0]}, as test_vit takes no other, given 64"):
        build(32, arch=small, input_size=64)


def test_grey_images_are_seen_as_three_channels_each_normalised_by_its_own_mean_and_deviation() -> None:
    built = build(channels=1, arch="resnet18", input_size=32)
    assert len(built.mean) == 1
    pixels = torch.rand(2, 1, 32, 32)
    grey = (pixels - built.mean[0]) / built.std[0]
    colour = build(arch="resnet18", input_size=32)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (colour.mean, colour.std))
    assert mean.unique().numel() == 3
    torch.testing.assert_close(seen(built, grey), (pixels - mean) / std)


def test_the_head_is_new_and_starts_without_a_preference() -> None:
    built = build(classes=7)
    assert torch.equal(built(torch.randn(3, 3, 32, 32)), torch.zeros(3, 7))
    assert build(dropout=0.4).dropout.p == 0.4


def test_features_go_to_the_head_as_images_would() -> None:
    built = build()
    torch.nn.init.normal_(built.head.weight)
    images = torch.randn(3, 3, 32, 32)
    assert torch.equal(built(built.features(images)), built(images))


def test_no_images_give_no_logits() -> None:
    assert build()(torch.zeros(0, 3, 32, 32)).shape == (0, 4)


@pytest.mark.parametrize(
    "arch", ["torchvision/resnet18", "torchvision/mobilenet_v3_small", "torchvision/shufflenet_v2_x0_5"]
)
def test_torchvisions_networks_without_their_last_layer(arch: str) -> None:
    built = build(64, arch=arch, input_size=64)
    features = built.features(torch.randn(2, 3, 64, 64))
    assert features.shape == (2, built.head.in_features)
    assert built.mean == (0.485, 0.456, 0.406)
    assert stages(built)[-1].name == "head"


@pytest.mark.parametrize(("arch", "side"), [("maxvit_t", 224), ("vit_h_14", 518)])
def test_torchvisions_networks_of_one_size_have_that_of_their_weights(arch: str, side: int) -> None:
    with torch.device("meta"):  # the size alone is asked for
        built = build(32, arch=f"torchvision/{arch}")
        assert seen(built, torch.zeros(1, 3, 32, 32)).shape[-2:] == (side, side)


def test_weights_that_know_other_values_get_them_from_the_network() -> None:
    built = build(224, arch="torchvision/googlenet")
    given: list[Tensor] = []
    built.backbone.get_submodule("conv1").register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    pixels = torch.rand(1, 3, 224, 224)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (built.mean, built.std))
    built((pixels - mean) / std)
    torch.testing.assert_close(given[0], (pixels - 0.5) / 0.5)


def test_the_size_is_tried_without_leaving_a_trace() -> None:
    built = network.Pretrained(
        PretrainedConfig(arch=FAST, weights="none"), in_channels=3, image_size=(96, 96), num_classes=4
    )
    assert all(module.training for module in built.modules())
    counts = [buffer for name, buffer in built.named_buffers() if name.endswith("num_batches_tracked")]
    assert counts
    assert not any(counts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arch": "tf_efficientnet_lte0"}, "did you mean tf_efficientnet_lite0?"),
        ({"arch": "torchvision/resnet81"}, "expected one of torchvision's .* networks, given 'resnet81'"),
        ({"arch": "resnet18", "weights": "embedded"}, "embedded are those of model.arch=tf_efficientnet_lite0 alone"),
        ({"channels": 2}, "expected images with 1 or 3 channels, given 2"),
        ({"arch": "resnet18.a1_in"}, "expected resnet18 alone or with one of its weights .*; did you mean a1_in1k?"),
        ({"arch": "qwen3_vit_88m_enc"}, "has no last layer to replace"),
        (
            {"arch": "torchvision/alexnet", "input_size": 32},
            "expected a size that torchvision/alexnet takes, such as 224, given images of 32x32",
        ),
    ],
)
def test_what_cannot_be_built_is_said_in_a_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build(**settings)
    assert "\n" not in str(caught.value)
