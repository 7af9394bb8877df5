"""A campaign that is to be carried out, and what makes it the one it is."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

from visionlab.campaigns.cells import Cell
from visionlab.campaigns.results import Child, label
from visionlab.campaigns.space import Base, Settings
from visionlab.config.campaign import CampaignConfig
from visionlab.config.lab import LabConfig
from visionlab.config.resolved import flatten
from visionlab.config.search import Objective, Parameter

# settings of a run that say where and how it is carried out, not what comes out
INCIDENTAL = ("name", "tracking", "trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy")


@dataclass(frozen=True)
class Plan:
    """A campaign that is to be carried out.

    Attributes:
        kind: the command.
        name: the campaign's id.
        base: what all runs have in common.
        space: what the runs differ in.
        objectives: what they are judged by.
        proposals: the configurations, where they are known beforehand; None where they are searched for.
        total: how many there are to be.
        pruner: median, hyperband or none.
        seed: of the search.
        minutes: after which no further run begins.
        storage: address of the study's database.
        carrying_out: how.
        lab: that the runs are of, and
        cells: what each of its proposals is called there.
    """

    kind: str
    name: str
    base: Base
    space: dict[str, Parameter]
    objectives: tuple[Objective, ...]
    proposals: tuple[Settings, ...] | None
    total: int
    carrying_out: CampaignConfig
    storage: str | None = None
    sampler: str = "grid"
    pruner: str = "none"
    seed: int = 0
    minutes: float | None = None
    lab: LabConfig | None = None
    cells: tuple[Cell, ...] = ()

    def title(self, child: Child) -> str:
        """What a run is called in MLflow."""
        return f"{child.number:03} {self.cells[child.proposal]}" if self.cells else label(child)

    @property
    def threads(self) -> int | None:
        """Of the processor, for each run; None leaves the choice to the run, which has the machine for itself."""
        if self.carrying_out.workers == 1 or self.carrying_out.launcher != "local":
            return None
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // self.carrying_out.workers)

    def definition(self) -> dict[str, Any]:
        """What makes this campaign another one if it is changed; how long it goes on is not among it."""
        base = flatten(self.base.config().model_dump(mode="json"))
        kept = {
            path: value for path, value in base.items() if not path.startswith(INCIDENTAL) and path not in self.space
        }
        content: dict[str, Any] = {
            "kind": self.kind,
            "base": kept,
            "space": {
                path: parameter.model_dump(mode="json", by_alias=True, exclude_defaults=True)
                for path, parameter in self.space.items()
            },
            "objectives": [objective.model_dump() for objective in self.objectives],
            "sampler": self.sampler,
            "pruner": self.pruner,
            "seed": self.seed,
        }
        if self.kind == "repeat":
            del content["space"]  # more seeds are more of the same
        elif self.cells:
            settings = json.dumps([cell.settings for cell in self.cells], sort_keys=True)
            content["runs"] = f"{self.total} ({hashlib.sha256(settings.encode()).hexdigest()[:8]})"
        return content
