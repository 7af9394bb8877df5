"""Tiny runs for campaigns, and campaigns carried out in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from visionlab import project
from visionlab.campaigns.carry_out import carry_out
from visionlab.campaigns.results import Results
from visionlab.campaigns.study import Study
from visionlab.config.search import Objective
from visionlab.tracking.run import Run

# a run of a fraction of a second
TINY = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[8]",
    "data.fraction=0.2",
    "data.batch_size=64",
    "data.augment.translate=0",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
]

Campaign = Callable[..., Results]


def results(name: str, kind: str = "grid", storage: str | None = None) -> Results:
    """What the database has of a campaign."""
    return Study(name, storage, project.runs(), (Objective(),), "test").results(kind)


def run_of(name: str) -> Run:
    return Run(project.runs() / name)


@pytest.fixture
def campaign(home: Path) -> Campaign:
    """Carry out a campaign of tiny runs in this process; what its database has of it then."""

    def begin(kind: str, name: str, *words: str, fresh: bool = False) -> Results:
        said = {word.partition("=")[0] for word in words}
        tiny = [word for word in TINY if word.partition("=")[0] not in said and kind != "tune"]
        carry_out(kind, [*tiny, f"campaign.name={name}", *words], fresh)
        return results(name, kind)

    return begin
