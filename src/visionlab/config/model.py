"""Settings of the networks."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from visionlab.config.base import Component

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "identity"]

Initialization = Literal["default", "zeros", "small_normal", "large_normal", "xavier", "kaiming", "orthogonal"]


class ModelConfig(Component):
    """What every network can be told. Channels, image size and classes come from the data."""

    init_from: str | None = Field(
        None,
        min_length=1,
        description="a run (id, prefix, last, best) or checkpoint file to take the weights from; the head is new where "
        "the classes differ",
    )


class CnnConfig(ModelConfig):
    """A compact convolutional network with a whitening first layer."""

    implementation: ClassVar[str] = "visionlab.models.cnn:CNN"

    name: Literal["cnn"] = "cnn"
    width: int = Field(64, ge=4, description="channels of the first stage; the later ones are multiples of it")
    activation: Activation = "gelu"
    norm: Literal["batch", "none", "layer", "group", "instance"] = "batch"
    dropout: float = Field(0.0, ge=0, lt=1, description="before the last layer")


class CifarNetConfig(ModelConfig):
    """The network of the fastest CIFAR-10 recipes (Jordan 2024)."""

    implementation: ClassVar[str] = "visionlab.models.cifarnet:CifarNet"

    name: Literal["cifarnet"] = "cifarnet"
    widths: tuple[Annotated[int, Field(ge=4)], ...] = Field(
        (64, 256, 256), min_length=1, max_length=4, description="channels of each stage"
    )
    depth: int = Field(2, ge=1, le=8, description="convolutions in a stage")
    residual: bool = Field(False, description="add what leaves a stage's first convolution to what leaves its last")


class ResNetConfig(ModelConfig):
    """The ResNets for small images (He et al. 2016, section 4.2; depth 18 and 34 with the stem for 32x32)."""

    implementation: ClassVar[str] = "visionlab.models.resnet:ResNet"

    name: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 20, 32, 44, 56, 110] = Field(
        18, description="18 and 34: four stages; 20 to 110: the three stages of the CIFAR family"
    )
    width: int | None = Field(
        None, ge=4, description="channels of the first stage, doubled at each further one; 64 for 18 and 34, else 16"
    )


class MlpConfig(ModelConfig):
    """A multi-layer perceptron on the flattened image."""

    implementation: ClassVar[str] = "visionlab.models.mlp:MLP"

    name: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field((256, 256), description="units of the hidden layers")
    activation: Activation = "relu"
    norm: Literal["none", "batch", "layer", "group"] = Field("none", description="before each activation")
    residual: bool = Field(
        False, description="add to a hidden layer what is given to it, where it has as many units (He et al. 2016)"
    )
    init: Initialization = Field("default", description="how the weights begin; default is torch's own way")
    gain: float = Field(1.0, gt=0, description="what they are multiplied with then")
    dropout: float = Field(0.0, ge=0, lt=1, description="after each hidden layer")


class PerceptronConfig(ModelConfig):
    """A single linear unit, for two classes (Rosenblatt 1958)."""

    implementation: ClassVar[str] = "visionlab.models.perceptron:Perceptron"

    name: Literal["perceptron"] = "perceptron"


class PretrainedConfig(ModelConfig):
    """A network of timm or torchvision with weights that have learnt from other images."""

    implementation: ClassVar[str] = "visionlab.models.pretrained.network:Pretrained"

    name: Literal["pretrained"] = "pretrained"
    arch: str = Field(
        "tf_efficientnet_lite0", min_length=1, description="a name of timm's, or torchvision/ and one of torchvision's"
    )
    weights: str = Field(
        "embedded",
        min_length=1,
        description="embedded: those that are installed with this package; imagenet: the default ones, from the "
        "network; none: random ones; or the name of a file in VISIONLAB_WEIGHTS",
    )
    input_size: int | None = Field(
        None,
        ge=32,
        le=1024,
        description="side in pixels that images are scaled to on the device; null: they stay as they are, but smaller "
        "ones than 128 are scaled to 128, and all of them where the network takes one size alone",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="before the head")


# Register a model here.
ModelChoice = Annotated[
    CnnConfig | CifarNetConfig | ResNetConfig | MlpConfig | PerceptronConfig | PretrainedConfig,
    Field(discriminator="name"),
]
