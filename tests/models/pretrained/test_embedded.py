"""The embedded weights in timm's network, against a network written down after the published names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from visionlab.models.pretrained.architecture import architecture
from visionlab.models.pretrained.embedded import ARCH, DEPTHS, embedded_weights, original_weights, timm_name

KERNELS = (3, 3, 5, 3, 5, 5, 3)  # of each stage, and its stride
STRIDES = (1, 2, 2, 2, 1, 2, 1)


def reference(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """EfficientNet-Lite0 by the published names: images (B, 3, H, W) -> logits (B, 1000)."""

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        kernel = weights[f"{name}.weight"]
        # as TensorFlow pads: as much as the stride leaves over, the odd pixel behind
        over = [max((-(-n // stride) - 1) * stride + kernel.shape[-1] - n, 0) for n in (x.shape[-1], x.shape[-2])]
        padded = functional.pad(x, [over[0] // 2, over[0] - over[0] // 2, over[1] // 2, over[1] - over[1] // 2])
        return functional.conv2d(padded, kernel, stride=stride, groups=groups)

    def normalise(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    x = functional.relu6(normalise(convolve(images, "_conv_stem", stride=2), "_bn0"))
    block = 0
    for depth, kernel, first_stride in zip(DEPTHS, KERNELS, STRIDES, strict=True):
        for number in range(depth):
            name, before = f"_blocks.{block}", x
            if f"{name}._expand_conv.weight" in weights:
                x = functional.relu6(normalise(convolve(x, f"{name}._expand_conv"), f"{name}._bn0"))
            assert weights[f"{name}._depthwise_conv.weight"].shape[-1] == kernel
            stride = first_stride if number == 0 else 1
            x = convolve(x, f"{name}._depthwise_conv", stride, groups=x.shape[1])
            x = functional.relu6(normalise(x, f"{name}._bn1"))
            x = normalise(convolve(x, f"{name}._project_conv"), f"{name}._bn2")
            if number:
                x = x + before
            block += 1
    x = functional.relu6(normalise(convolve(x, "_conv_head"), "_bn1"))
    return functional.linear(x.mean(dim=(2, 3)), weights["_fc.weight"], weights["_fc.bias"])


def test_every_tensor_has_one_place_in_timms_network() -> None:
    import timm

    network = timm.create_model(ARCH, pretrained=False)
    own = {name: tensor.shape for name, tensor in network.state_dict().items()}
    assert {name: tensor.shape for name, tensor in embedded_weights().items()} == own
    assert timm_name("_blocks.4._bn0.weight") == "blocks.2.1.bn1.weight"


@pytest.mark.parametrize("side", [96, 129])
def test_timms_network_says_what_the_published_one_says(side: int) -> None:
    import timm

    torch.manual_seed(0)
    images = torch.rand(2, 3, side, side) * 2 - 1
    network = timm.create_model(ARCH, pretrained=False)
    network.load_state_dict(embedded_weights())
    with torch.inference_mode():
        expected = reference(original_weights(), images)
        torch.testing.assert_close(network.eval()(images), expected, rtol=0, atol=1e-5)
    assert expected.std() > 0.5


def test_the_metadata_are_those_of_the_weights() -> None:
    made = architecture(ARCH).preprocessing
    assert (made.mean, made.std) == ((0.5,) * 3, (0.5,) * 3)
    assert (made.side, made.interpolation, made.is_fixed) == (224, "bicubic", False)
