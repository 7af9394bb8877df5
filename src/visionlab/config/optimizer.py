"""Settings of the optimizers and of the learning-rate schedules."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from visionlab.config.base import Component

Momentum = Annotated[float, Field(ge=0, lt=1)]


class OptimizerConfig(Component):
    """What every optimizer can be told. Weight decay spares biases and normalisation (1-D parameters).

    Learning rates are what is written here, on any number of devices: a batch is that of all of them together. With a
    rule they are what is written for batches of `reference_batch`, and follow from it for others.

    Attributes:
        rates: the settings that are learning rates.
    """

    rates: ClassVar[tuple[str, ...]] = ("lr",)

    lr: float = Field(gt=0, description="peak learning rate")
    weight_decay: float = Field(0.0, ge=0)
    lr_rule: Literal["none", "linear", "sqrt"] = Field(
        "none",
        description="how all learning rates grow with data.batch_size: not at all, in proportion to it (Goyal et al. "
        "2017), or to its root (Krizhevsky 2014)",
    )
    reference_batch: int | None = Field(
        None, ge=1, description="images in a step at which the learning rates are as written, for a rule"
    )

    @model_validator(mode="after")
    def _rule_starts_from_a_batch(self) -> Self:
        if self.lr_rule != "none" and self.reference_batch is None:
            raise ValueError(
                f"lr_rule: {self.lr_rule} needs reference_batch, the images in a step that the rates are written for"
            )
        if self.lr_rule == "none" and self.reference_batch is not None:
            raise ValueError("reference_batch: changes nothing without a rule; set lr_rule to linear or sqrt")
        return self

    def at(self, batch_size: int) -> Self:
        """The same with the learning rates that the rule gives for steps of `batch_size` images."""
        if self.reference_batch is None:
            return self
        ratio = batch_size / self.reference_batch
        factor = math.sqrt(ratio) if self.lr_rule == "sqrt" else ratio
        rates = {name: factor * getattr(self, name) for name in self.rates}
        return self.model_copy(update=rates | {"lr_rule": "none", "reference_batch": None})


class SgdConfig(OptimizerConfig):
    """Stochastic gradient descent with Nesterov momentum."""

    implementation: ClassVar[str] = "visionlab.training.optimizers:build_sgd"

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0)
    momentum: Momentum = 0.9
    nesterov: bool = True
    weight_decay: float = Field(5e-4, ge=0)


class AdamWConfig(OptimizerConfig):
    """AdamW (Loshchilov and Hutter 2019)."""

    implementation: ClassVar[str] = "visionlab.training.optimizers:build_adamw"

    name: Literal["adamw"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    weight_decay: float = Field(0.01, ge=0)


class MuonConfig(OptimizerConfig):
    """Muon (Jordan et al. 2024) for filters and matrices, Nesterov SGD for everything else."""

    implementation: ClassVar[str] = "visionlab.training.optimizers:build_muon"
    rates: ClassVar[tuple[str, ...]] = ("lr", "sgd_lr", "bias_lr")

    name: Literal["muon"] = "muon"
    lr: float = Field(0.02, gt=0, description="of filters and matrices but the last layer's")
    momentum: Momentum = 0.9
    iterations: int = Field(5, ge=1, le=10, description="of Newton-Schulz in each step")
    normalize: bool = Field(
        False, description="before each step scale a layer's weights to the norm of an orthogonal matrix of its shape"
    )
    sgd_lr: float = Field(0.1, gt=0, description="of the last layer")
    bias_lr: float = Field(0.1, gt=0, description="of biases and normalisation")
    sgd_momentum: Momentum = 0.9


class ConstantConfig(Component):
    """The peak learning rate throughout."""

    implementation: ClassVar[str] = "visionlab.training.schedules:constant"

    name: Literal["constant"] = "constant"


class OneCycleConfig(Component):
    """One-cycle (Smith and Topin 2018): cosine up to the peak, cosine down to almost nothing."""

    implementation: ClassVar[str] = "visionlab.training.schedules:one_cycle"

    name: Literal["one_cycle"] = "one_cycle"
    peak: float = Field(0.3, gt=0, lt=1, description="share of the steps at which the peak is reached")
    start_factor: float = Field(0.04, ge=0, le=1)
    end_factor: float = Field(1e-4, ge=0, le=1)


class TriangularConfig(Component):
    """Straight up to the peak, straight down."""

    implementation: ClassVar[str] = "visionlab.training.schedules:triangular"

    name: Literal["triangular"] = "triangular"
    peak: float = Field(0.2, ge=0, lt=1, description="share of the steps at which the peak is reached")
    start_factor: float = Field(0.2, ge=0, le=1)
    end_factor: float = Field(0.0, ge=0, le=1)


class CosineConfig(Component):
    """A linear warm-up, then half a cosine (Loshchilov and Hutter 2017)."""

    implementation: ClassVar[str] = "visionlab.training.schedules:cosine"

    name: Literal["cosine"] = "cosine"
    warmup: float = Field(0.05, ge=0, lt=1, description="share of the steps spent on the warm-up")
    end_factor: float = Field(0.0, ge=0, le=1)


class StepConfig(Component):
    """Multiply by `gamma` at each milestone."""

    implementation: ClassVar[str] = "visionlab.training.schedules:step"

    name: Literal["step"] = "step"
    milestones: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field((0.5, 0.75), description="shares of the steps")
    gamma: float = Field(0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _milestones_rise(self) -> StepConfig:
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones: expected shares that rise, given {list(self.milestones)}")
        return self


class ExponentialConfig(Component):
    """From the start to the end by the same ratio at each step: falling, or rising as in a learning-rate range test."""

    implementation: ClassVar[str] = "visionlab.training.schedules:exponential"

    name: Literal["exponential"] = "exponential"
    start_factor: float = Field(1.0, gt=0)
    end_factor: float = Field(0.01, gt=0)


# Register an optimizer or a schedule here.
OptimizerChoice = Annotated[SgdConfig | AdamWConfig | MuonConfig, Field(discriminator="name")]
ScheduleChoice = Annotated[
    ConstantConfig | OneCycleConfig | TriangularConfig | CosineConfig | StepConfig | ExponentialConfig,
    Field(discriminator="name"),
]
