"""The whole configuration of one training run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from visionlab.config.adapt import AdaptConfig
from visionlab.config.base import Section
from visionlab.config.data import AugmentConfig, DataChoice
from visionlab.config.diagnostics import DiagnosticsConfig
from visionlab.config.loss import LossChoice
from visionlab.config.model import ModelChoice
from visionlab.config.optimizer import OptimizerChoice, ScheduleChoice
from visionlab.config.task import TaskChoice
from visionlab.config.trainer import TrackingConfig, TrainerConfig

# also said of a data set in which no validation set is found
NO_VALIDATION = "trainer.early_stopping: needs a validation set, and there is none; set data.val_fraction above 0"

COMPILED_SIDES = 5  # torch.compile keeps eight graphs of a network: these, full size, and evaluation


class TrainConfig(Section):
    """Everything that a run depends on besides the code and the data."""

    name: str | None = Field(
        None, pattern=r"^[\w.-]{1,100}$", description="of the run; by default the experiment's name"
    )
    seed: int = Field(0, ge=0, lt=2**32)
    debug: bool | Literal["overfit", "profile"] = Field(
        False, description="true: one batch of everything; overfit: one batch learnt by heart; profile: where time goes"
    )
    data: DataChoice
    model: ModelChoice
    task: TaskChoice
    adapt: AdaptConfig = AdaptConfig()
    loss: LossChoice
    optimizer: OptimizerChoice
    schedule: ScheduleChoice
    trainer: TrainerConfig = TrainerConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _early_stopping_needs_validation(self) -> TrainConfig:
        if self.trainer.early_stopping is not None and not self.data.may_validate:
            raise ValueError(NO_VALIDATION)
        return self

    @model_validator(mode="after")
    def _cached_features_are_of_pretrained_networks_and_given_views(self) -> TrainConfig:
        if not self.adapt.cache_features:
            return self
        augment = self.data.augment
        if self.model.name != "pretrained":
            raise ValueError(f"adapt.cache_features: needs model=pretrained, given {self.model.name}")
        if augment.mixup > 0 or augment.cutmix > 0:
            raise ValueError(
                "adapt.cache_features: expected no data.augment.mixup nor cutmix, as features are of one image"
            )
        if augment.progressive:
            raise ValueError(
                "adapt.cache_features: expected no data.augment.progressive, as the same features serve all epochs"
            )
        if augment != AugmentConfig() and not self.adapt.views:
            raise ValueError(
                "data.augment: changes no features that are cached; set adapt.views to how many views of each"
            )
        return self

    @model_validator(mode="after")
    def _images_grow_to_their_full_size(self) -> TrainConfig:
        sides = self.data.augment.progressive
        # debugging trains in full size, for as long as it wants
        if sides and not self.debug and len(sides) >= self.trainer.max_epochs:
            raise ValueError(
                f"data.augment.progressive: expected fewer sides than trainer.max_epochs={self.trainer.max_epochs}, so "
                f"that the last epoch sees images in full size, given {len(sides)}"
            )
        if self.trainer.compile and len(set(sides)) > COMPILED_SIDES:
            raise ValueError(
                f"data.augment.progressive: expected at most {COMPILED_SIDES} different sides with "
                f"trainer.compile=true, given {len(set(sides))}"
            )
        return self

    @model_validator(mode="after")
    def _compiled_networks_have_no_hooks(self) -> TrainConfig:
        if self.diagnostics.activations and self.trainer.compile:
            raise ValueError("diagnostics.activations: needs trainer.compile=false, as it looks into the network")
        return self

    @model_validator(mode="after")
    def _models_go_to_mlflow(self) -> TrainConfig:
        # debugging turns tracking off by itself
        if self.tracking.log_model and self.tracking.name == "off" and not self.debug:
            raise ValueError("tracking.log_model: needs tracking=mlflow, given off")
        return self

    @model_validator(mode="after")
    def _soft_labels_need_cross_entropy(self) -> TrainConfig:
        mixes = self.data.augment.mixup > 0 or self.data.augment.cutmix > 0
        if mixes and not self.loss.takes_mixed:
            raise ValueError(
                f"data.augment: mixup and cutmix need loss=cross_entropy or loss=logit_adjusted, given {self.loss.name}"
            )
        return self

    @model_validator(mode="after")
    def _imbalance_is_made_up_for_once(self) -> TrainConfig:
        if self.data.sampler == "balanced":
            given = None
            if self.loss.class_weights == "balanced":
                given = "loss.class_weights=balanced"
            elif self.loss.name == "logit_adjusted":
                given = "loss=logit_adjusted"
            if given is not None:
                raise ValueError(
                    f"data.sampler: balanced makes up for unequal classes, and so does {given}; choose one of them"
                )
        return self
