"""A run that goes on writes nothing that its journal has."""

from __future__ import annotations

from pathlib import Path

from visionlab.tracking import journal
from visionlab.tracking.journal import Journal
from visionlab.tracking.logger import JournalLogger


def values(file: Path) -> list[tuple[int, dict[str, float]]]:
    return [(record["step"], record["values"]) for record in journal.read(file)[0]]


def test_what_is_journaled_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / journal.FILE_NAME
    before = JournalLogger("run", Journal(file))
    before.log_metrics({"train/loss": 3.0, "lr": 0.1}, 10)
    before.log_metrics({"val/loss": 4.0}, 10)
    before.log_metrics({"train/loss": 2.0}, 20)
    after = JournalLogger("run", Journal(file))
    # back at a checkpoint of step 5
    after.log_metrics({"train/loss": 3.0, "lr": 0.1}, 10)
    after.log_metrics({"val/loss": 4.0, "new": 1.0}, 10)
    after.log_metrics({"train/loss": 2.0}, 20)
    after.log_metrics({"train/loss": 1.0, "lr": 0.05}, 30)
    assert values(file) == [
        (10, {"train/loss": 3.0, "lr": 0.1}),
        (10, {"val/loss": 4.0}),
        (20, {"train/loss": 2.0}),
        (10, {"new": 1.0}),
        (30, {"train/loss": 1.0, "lr": 0.05}),
    ]
