"""Networks of timm and torchvision without their last layer, and how the images were made that they learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from visionlab.config.suggest import did_you_mean
from visionlab.errors import UserError

TORCHVISION = "torchvision/"
_WITH_SIDE_BRANCHES = {"googlenet": ("aux1", "aux2"), "inception_v3": ("AuxLogits",)}


@dataclass(frozen=True)
class Preprocessing:
    """How the images were made that a network has learnt from.

    Attributes:
        mean, std: per channel, of pixel values scaled to 0…1.
        side: in pixels.
        interpolation: of images that are scaled.
        is_fixed: whether the network takes no other size.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    side: int
    interpolation: Literal["bicubic", "bilinear"]
    is_fixed: bool


@dataclass(frozen=True)
class Architecture:
    """A network without its last layer.

    Attributes:
        backbone: images (B, 3, H, W) -> features (B, F); randomly initialised.
        features: F.
        last: what the names of the last layer's tensors begin with, among the network's weights; and those of side
            branches that only the training of the whole network uses.
    """

    backbone: nn.Module
    features: int
    last: tuple[str, ...]
    preprocessing: Preprocessing


def architecture(arch: str) -> Architecture:
    """The network called `arch`: a name of timm's, or `torchvision/` and one of torchvision's.

    Raises:
        UserError: there is no such network, or it has no last layer to replace.
    """
    name = arch.removeprefix(TORCHVISION)
    return _of_torchvision(name) if name != arch else _of_timm(arch)


def _of_timm(arch: str) -> Architecture:
    import timm

    if not timm.is_model(arch):
        known = timm.list_models()
        more = did_you_mean(arch, known) or f"; torchvision's are called {TORCHVISION}NAME"
        raise UserError(f"model.arch: expected one of timm's {len(known):,} networks, given {arch!r}{more}")
    name, _, tag = arch.partition(".")
    if tag and tag not in (known := [other.partition(".")[2] for other in timm.list_pretrained(name)]):
        raise UserError(
            f"model.arch: expected {name} alone or with one of its weights ({', '.join(known) or 'none'}), "
            f"given {arch!r}{did_you_mean(tag, known)}"
        )
    backbone: Any = timm.create_model(arch, pretrained=False, num_classes=0)
    described: dict[str, Any] = backbone.pretrained_cfg
    last = described["classifier"]
    if last is None:
        raise UserError(f"model.arch: timm's {arch} has no last layer to replace, as it was not made to classify")
    interpolation: Literal["bicubic", "bilinear"] = (
        "bilinear" if described.get("interpolation") == "bilinear" else "bicubic"
    )
    preprocessing = Preprocessing(
        tuple(described["mean"]),
        tuple(described["std"]),
        described["input_size"][-1],
        interpolation,
        bool(described.get("fixed_input_size")),
    )
    features = getattr(backbone, "head_hidden_size", None) or backbone.num_features
    return Architecture(backbone, features, (last,) if isinstance(last, str) else tuple(last), preprocessing)


def _of_torchvision(name: str) -> Architecture:
    from torchvision import models  # type: ignore[import-untyped]

    known = models.list_models(module=models)
    if name not in known:
        more = did_you_mean(name, known)
        raise UserError(f"model.arch: expected one of torchvision's {len(known)} networks, given {name!r}{more}")
    described = models.get_model_weights(name).DEFAULT.transforms()
    settings: dict[str, Any] = {}
    if name in _WITH_SIDE_BRANCHES:
        # their weights have learnt from images normalised in another way than torchvision's, and see to that themselves
        settings = {"aux_logits": False, "init_weights": True, "transform_input": True}
    elif name.startswith("vit_"):
        settings = {"image_size": described.crop_size[0]}
    backbone = models.get_model(name, weights=None, **settings)
    linear = [(path, layer) for path, layer in backbone.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise UserError(f"model.arch: torchvision's {name} has no linear layer at its end to replace; choose another")
    path, layer = linear[-1]
    backbone.set_submodule(path, nn.Identity())
    parent = backbone.get_submodule(path.rpartition(".")[0])
    for child, before in parent.named_children():
        if isinstance(before, nn.Dropout):  # the new head brings its own
            parent.set_submodule(child, nn.Identity())
    preprocessing = Preprocessing(
        tuple(described.mean),
        tuple(described.std),
        described.crop_size[0],
        "bicubic" if described.interpolation.value == "bicubic" else "bilinear",
        name.startswith(("vit_", "maxvit_")),
    )
    return Architecture(backbone, layer.in_features, (path, *_WITH_SIDE_BRANCHES.get(name, ())), preprocessing)
