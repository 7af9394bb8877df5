"""A run that belongs to a campaign, as its own process knows it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from visionlab.tracking.run import Run, write_atomically

FILE_NAME, REQUEST = "member.json", "prune"


@dataclass(frozen=True)
class Member:
    """What a campaign has prepared: a run that is judged by validation, and never sees the test set.

    Attributes:
        campaign: the campaign's id.
        title: what the run is called in MLflow.
        tags: of the run: where code and machine are the campaign's, they are found out once.
        latency: whether to measure how long one image takes.
        threads: of the processor, for this run; None for as many as there are.
    """

    campaign: str
    title: str
    tags: dict[str, str]
    latency: bool = False
    threads: int | None = None

    def save(self, run: Run) -> None:
        """Put it into the folder of its run, where its process finds it."""
        write_atomically(run.path / FILE_NAME, json.dumps(asdict(self), ensure_ascii=False))

    @classmethod
    def load(cls, run: Run) -> Member:
        return cls(**json.loads((run.path / FILE_NAME).read_text(encoding="utf-8")))


def request_pruning(run: Run) -> None:
    """Have a run of a campaign end early, as a success. A file, as its process may be on another machine."""
    (run.path / REQUEST).touch()


def is_to_be_pruned(run: Run) -> bool:
    """Whether that was asked for."""
    return (run.path / REQUEST).exists()
