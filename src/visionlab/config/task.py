"""Settings of the LightningModule: what is learnt and how it is evaluated."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from visionlab.config.base import Component


class TaskConfig(Component):
    """What every task can be told."""

    top_k: int = Field(5, ge=2, description="report top-k accuracy where there are more than k classes")
    l1: float = Field(
        0.0, ge=0, description="add to the training loss this times the sum of all absolute weights but biases'"
    )
    test_time: Literal["none", "flip", "flip_crops"] = Field(
        "none",
        description="test on the mean of the logits of each image and its mirror image, or also of those moved a pixel "
        "(Jordan 2024)",
    )


class ClassifierConfig(TaskConfig):
    """One label for each image."""

    implementation: ClassVar[str] = "visionlab.training.classifier:Classifier"

    name: Literal["classifier"] = "classifier"


# Register a LightningModule here. README.md shows how the choice of one becomes a choice of two.
TaskChoice = ClassifierConfig
