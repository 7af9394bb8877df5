"""The stages of networks of every kind: all parameters, each once, from the images to the head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from visionlab.config.model import CnnConfig, MlpConfig, ModelConfig, PretrainedConfig, ResNetConfig
from visionlab.models.stages import stages

NETWORKS = {
    "cnn": (CnnConfig(width=4), ["whiten", "stages.1", "stages.2", "stages.3", "head"]),
    "resnet": (ResNetConfig(depth=20, width=4), ["stem", *(f"stages.{block}" for block in range(9)), "head"]),
    "mlp": (MlpConfig(hidden=(4,)), ["body", "head"]),
    "lite0": (PretrainedConfig(), ["conv_stem", *(f"blocks.{stage}" for stage in range(7)), "conv_head", "head"]),
    "resnet18": (
        PretrainedConfig(arch="resnet18", weights="none"),
        ["conv1", "layer1", "layer2", "layer3", "layer4", "head"],
    ),
    "convnext": (
        PretrainedConfig(arch="test_convnext", weights="none"),
        ["stem", *(f"stages.{stage}" for stage in range(4)), "backbone.head", "head"],
    ),
    "vit": (PretrainedConfig(arch="test_vit", weights="none"), None),
    "torchvision vit": (
        PretrainedConfig(arch="torchvision/vit_b_32", weights="none"),
        ["conv_proj", *(f"layers.encoder_layer_{layer}" for layer in range(12)), "head"],
    ),
    "torchvision": (PretrainedConfig(arch="torchvision/mobilenet_v3_small", weights="none"), None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_is_in_one_stage_and_the_head_is_the_last(name: str) -> None:
    config, names = NETWORKS[name]
    assert isinstance(config, ModelConfig)
    network: nn.Module = config.load_implementation()(config, in_channels=3, image_size=(32, 32), num_classes=5)
    found = stages(network)
    if names is not None:
        assert [stage.name for stage in found] == names
    assert found[-1].name == "head"
    members = [parameter for stage in found for parameter in stage.parameters]
    assert len(members) == len(set(members))
    assert set(members) == set(network.parameters())


def test_the_stages_stand_in_the_order_of_the_network() -> None:
    config = PretrainedConfig()
    network = config.load_implementation()(config, in_channels=3, image_size=(32, 32), num_classes=5).eval()
    order: list[str] = []
    for stage in stages(network):
        stage.modules[0].register_forward_pre_hook(lambda *_, name=stage.name: order.append(name))
    network(torch.zeros(1, 3, 32, 32))
    assert order == [stage.name for stage in stages(network)]
