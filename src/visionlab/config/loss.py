"""Settings of the losses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from visionlab.config.base import Component


class LossConfig(Component):
    """What every loss can be told."""

    class_weights: tuple[Annotated[float, Field(ge=0)], ...] | Literal["balanced"] | None = Field(
        None, description="a weight for each class, or balanced: in inverse proportion to its share of the training set"
    )


class CrossEntropyConfig(LossConfig):
    """Cross-entropy, with label smoothing (Szegedy et al. 2016)."""

    implementation: ClassVar[str] = "visionlab.training.losses:CrossEntropy"

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class FocalConfig(LossConfig):
    """Focal loss (Lin et al. 2017): well-classified samples count less."""

    implementation: ClassVar[str] = "visionlab.training.losses:Focal"

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)


# Register a loss here.
LossChoice = Annotated[CrossEntropyConfig | FocalConfig, Field(discriminator="name")]
