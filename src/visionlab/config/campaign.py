"""Settings of campaigns: everything that is more than one run."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from visionlab.config.base import NAME, Section
from visionlab.config.lab import LabConfig
from visionlab.config.search import StorageConfig, StudyConfig

WORDS = ("last", "best")  # by which runs are found


class CampaignConfig(Section):
    """How the runs of a campaign are carried out."""

    name: str | None = Field(None, pattern=NAME, description="by default made of the command and the experiment")

    @field_validator("name")
    @classmethod
    def _no_word_for_runs(cls, name: str | None) -> str | None:
        if name in WORDS:
            raise ValueError(f"expected a name of its own, given {name!r}, which is a word for a run")
        return name

    workers: int = Field(1, ge=1, description="runs at a time")
    minutes_per_run: float | None = Field(None, gt=0, description="a run that takes longer is stopped, and has failed")
    launcher: Literal["local", "slurm"] = "local"
    slurm: dict[str, Any] = Field({}, description="for submitit, such as {partition: gpu, timeout_min: 60}")


class TuneConfig(Section):
    """Of `visionlab tune`."""

    kind: ClassVar[str] = "tune"
    file: ClassVar[str] = "tune"
    study: StudyConfig
    campaign: CampaignConfig = CampaignConfig()


class CrossvalConfig(Section):
    """Of `visionlab crossval`."""

    kind: ClassVar[str] = "crossval"
    file: ClassVar[str] = "crossval"
    folds: int = Field(5, ge=2, le=100)
    study: StorageConfig = StorageConfig()
    campaign: CampaignConfig = CampaignConfig()


class RepeatConfig(Section):
    """Of `visionlab repeat`."""

    kind: ClassVar[str] = "repeat"
    file: ClassVar[str] = "repeat"
    seeds: int = Field(5, ge=1, le=10_000, description="how many, counted from the run's own")
    study: StorageConfig = StorageConfig()
    campaign: CampaignConfig = CampaignConfig()


class GridConfig(Section):
    """Of `visionlab grid`."""

    kind: ClassVar[str] = "grid"
    file: ClassVar[str] = "grid"
    study: StorageConfig = StorageConfig()
    campaign: CampaignConfig = CampaignConfig()


class LabsConfig(Section):
    """Of `visionlab lab`."""

    kind: ClassVar[str] = "lab"
    file: ClassVar[str] = "labs"  # beside the folder of the labs themselves
    lab: LabConfig
    study: StorageConfig = StorageConfig()
    campaign: CampaignConfig = CampaignConfig()


CAMPAIGNS = (TuneConfig, CrossvalConfig, RepeatConfig, GridConfig, LabsConfig)
