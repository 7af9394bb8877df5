"""Grad-CAM equals its formula where that can be worked out by hand, and finds what the class depends on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from visionlab.config.load import load_train_config
from visionlab.data.spec import DataSpec
from visionlab.prediction.grad_cam import NoFeatureMapError, grad_cam
from visionlab.training.build import build_module
from visionlab.training.classifier import Classifier

SPEC = DataSpec(("a", "b", "c"), (1, 1, 1), None, (1, 16, 16), None, (0.5,), (0.25,))


def module_of(network: nn.Module) -> Classifier:
    """Around a network for images of 1x16x16."""
    module = build_module(load_train_config(["data=digits", "model=mlp", "model.hidden=[]"]), SPEC)
    module.network = network
    return module.eval()


class Pooled(nn.Module):
    """One convolution, changed in place afterwards, then the mean over the image."""

    def __init__(self, stride: int = 1, maps: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, maps, 1, stride)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(maps, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.act(self.conv(images)).mean(dim=(2, 3)))
        return logits


class Tokens(nn.Module):
    """Patches that look at each other."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(1, 4, 4, 4), nn.LayerNorm(4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(self.patches(images).flatten(2).mT).mean(dim=1))
        return logits


def test_it_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    network = Pooled()
    images, labels = torch.randn(4, 1, 16, 16), torch.tensor([0, 1, 2, 1])
    kept = images.clone()
    # of a linear head on a mean the gradient is the head's weight over the number of pixels, everywhere
    maps = network.conv(images).relu()
    speaks = (network.head.weight[labels][:, :, None, None] * maps).sum(dim=1).relu()
    most = speaks.amax(dim=(1, 2), keepdim=True)
    expected = torch.where(most > 0, speaks / most, 0.0)
    assert (most > 0).any()
    torch.testing.assert_close(grad_cam(module_of(network), images, labels), expected.detach())
    assert torch.equal(images, kept)


@pytest.mark.parametrize("frozen", [False, True])
def test_it_finds_what_the_class_depends_on(frozen: bool) -> None:
    torch.manual_seed(0)
    module = build_module(load_train_config(["data=digits", "model=cnn", "model.width=8"]), SPEC)
    # the class is decided by a bright square at one place of a grey image
    labels = torch.arange(3).repeat(40)
    images = torch.randn(120, 1, 16, 16) * 0.05
    kinds = (torch.ones(4, 4), torch.eye(4) * 2 - 1, -torch.ones(4, 4))
    corners = torch.randint(0, 2, (120, 2)) * 10 + 1
    for image, label, (top, left) in zip(images, labels.tolist(), corners.tolist(), strict=True):
        image[0, top : top + 4, left : left + 4] += 2 * kinds[label]
    optimizer = torch.optim.Adam([weight for weight in module.network.parameters() if weight.requires_grad], 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        module.loss(module(images), labels).backward()
        optimizer.step()
    module.eval()
    assert (module(images).argmax(dim=1) == labels).float().mean() > 0.95
    module.network.requires_grad_(not frozen)
    heat = grad_cam(module, images, labels)
    assert heat.shape == (120, 16, 16)
    assert heat.min() >= 0
    assert heat.max() <= 1
    inside = torch.zeros(120, 16, 16, dtype=torch.bool)
    for mask, (top, left) in zip(inside, corners.tolist(), strict=True):
        mask[8 * (top > 8) : 8 * (top > 8) + 8, 8 * (left > 8) : 8 * (left > 8) + 8] = True
    share = (heat * inside).sum(dim=(1, 2)) / heat.sum(dim=(1, 2)).clamp_min(1e-9)  # a quarter by chance
    assert share[heat.amax(dim=(1, 2)) > 0].mean() > 0.5


def test_the_map_before_the_last_pixel_is_taken() -> None:
    network = nn.Sequential(Pooled(stride=4).conv, nn.ReLU(), nn.Conv2d(2, 3, 4), nn.Flatten())  # 4x4, then 1x1
    heat = grad_cam(module_of(network), torch.randn(2, 1, 16, 16), torch.tensor([0, 1]))
    assert heat.shape == (2, 16, 16)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(256, 3)),
        nn.Sequential(nn.Conv2d(1, 3, 16), nn.Flatten()),
        Tokens(),
    ],
)
def test_networks_without_a_map_are_told(network: nn.Module) -> None:
    with pytest.raises(NoFeatureMapError):
        grad_cam(module_of(network), torch.randn(2, 1, 16, 16), torch.tensor([0, 1]))
    assert not any(layer._forward_hooks for layer in network.modules())
