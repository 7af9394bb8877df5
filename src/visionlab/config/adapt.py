"""Settings of how a network that has learnt something before is adapted to new images."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from visionlab.config.base import Section

FREEZE = r"^(none|backbone|until:[\w.]+)$"


class AdaptConfig(Section):
    """What of the network learns, from when on, and how fast. Stages are counted from the images to the head."""

    freeze: str = Field(
        "none",
        json_schema_extra={"pattern": FREEZE},
        description="what does not learn: none; backbone, all but the head; until:STAGE, the stages up to that one",
    )
    unfreeze_every: int | None = Field(
        None,
        ge=1,
        description="epochs from one frozen stage being set free to the next, the last one first; null: never",
    )
    layer_decay: float = Field(1.0, gt=0, le=1, description="learning rate of each stage over that of the next one")
    batch_norm: Literal["train", "frozen"] = Field(
        "train",
        description="running statistics of the stages that learn: updated by each batch, or frozen; those of frozen "
        "stages always are",
    )
    cache_features: bool = Field(
        False, description="compute what the frozen backbone says of each image once, and train the head on that"
    )
    views: int = Field(
        0, ge=0, description="augmented views of each training image among the cached features; 0: as in evaluation"
    )

    @model_validator(mode="after")
    def _freezes_one_of_three(self) -> AdaptConfig:
        if not re.fullmatch(FREEZE, self.freeze):
            raise ValueError(f"freeze: expected none, backbone or until:STAGE, given {self.freeze!r}")
        return self

    @model_validator(mode="after")
    def _frozen_stages_to_set_free_or_to_cache(self) -> AdaptConfig:
        if self.unfreeze_every is not None and self.freeze == "none":
            raise ValueError("unfreeze_every: needs frozen stages; set adapt.freeze")
        if self.cache_features and (self.freeze != "backbone" or self.unfreeze_every is not None):
            raise ValueError("cache_features: needs adapt.freeze=backbone, and adapt.unfreeze_every=null")
        if self.views and not self.cache_features:
            raise ValueError("views: needs adapt.cache_features=true; without, each epoch sees new views anyway")
        return self
