"""Settings of the losses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from visionlab.config.base import Component


class LossConfig(Component):
    """What every loss can be told.

    Attributes:
        takes_mixed: whether images may be of several classes at once, as MixUp and CutMix make them.
    """

    takes_mixed: ClassVar[bool] = False

    class_weights: tuple[Annotated[float, Field(ge=0)], ...] | Literal["balanced"] | None = Field(
        None, description="a weight for each class, or balanced: in inverse proportion to its share of the training set"
    )


class CrossEntropyConfig(LossConfig):
    """Cross-entropy, with label smoothing (Szegedy et al. 2016)."""

    implementation: ClassVar[str] = "visionlab.training.losses:CrossEntropy"
    takes_mixed: ClassVar[bool] = True

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class FocalConfig(LossConfig):
    """Focal loss (Lin et al. 2017): well-classified samples count less."""

    implementation: ClassVar[str] = "visionlab.training.losses:Focal"

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)


class LogitAdjustedConfig(LossConfig):
    """Logit-adjusted cross-entropy (Menon et al. 2021): rare classes have to win by more in training."""

    implementation: ClassVar[str] = "visionlab.training.losses:LogitAdjusted"
    takes_mixed: ClassVar[bool] = True

    name: Literal["logit_adjusted"] = "logit_adjusted"
    tau: float = Field(
        1.0, ge=0, description="in training the classes' log frequencies are added, times this; 0 is cross-entropy"
    )


class PerceptronLossConfig(LossConfig):
    """Rosenblatt's criterion (1958): what is on the right side counts nothing, what is not by how far.

    Plain SGD with a rate of 1 on one sample at a time is then Rosenblatt's rule.
    """

    implementation: ClassVar[str] = "visionlab.training.losses:PerceptronLoss"

    name: Literal["perceptron"] = "perceptron"


# Register a loss here.
LossChoice = Annotated[
    CrossEntropyConfig | FocalConfig | LogitAdjustedConfig | PerceptronLossConfig, Field(discriminator="name")
]
