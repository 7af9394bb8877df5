"""Runs as training leaves them, made without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.tracking.run import Run
from visionlab.training.recording import flatten

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(home: Path) -> MakeRun:
    """Make a run: its overrides, the number of points, its validation accuracy, its last status."""

    def make(
        *overrides: str, points: int = 0, accuracy: float | None = None, status: str | None = "FINISHED", **tags: str
    ) -> Run:
        config = load_train_config(["experiment=digits", *overrides])
        run = Run.create(project.runs(), config)
        writer = run.journal()
        params: dict[str, Any] = flatten(config.model_dump(mode="json"))
        writer.append("start", run=run.id, params=params, tags=tags)
        for step in range(points):
            writer.metrics(step, {"train/loss": 1 / (step + 1), "lr": 0.1})
        if accuracy is not None:
            run.add_to_report(validation={"accuracy": accuracy}, test={"accuracy": 1 - accuracy})
        if status is not None:
            writer.append("status", status=status)
        writer.close()
        return run

    return make
