"""Runs as training leaves them, made without training, and commands carried out in this process."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import flatten
from visionlab.tracking import predictions
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]
Command = Callable[..., None]
LABELS = np.tile(np.arange(10), 40)
config_of = cache(lambda overrides: load_train_config(["experiment=digits", *overrides]))


@pytest.fixture
def make_run(home: Path) -> MakeRun:
    """Make a run: its overrides, its validation accuracy by epoch, and how many of 400 test images it has right.

    Of two runs the one with more right images has those of the other right, too.
    """

    def make(
        *overrides: str,
        epochs: tuple[float, ...] = (0.5, 0.9),
        right: int | None = None,
        labels: np.ndarray = LABELS,
        status: str | None = "FINISHED",
        campaign: str | None = None,
        **tags: str,
    ) -> Run:
        config = config_of(overrides)
        run = Run.create(project.runs(), config)
        writer = run.journal()
        params: dict[str, Any] = flatten(config.model_dump(mode="json")) | {"model.parameters": 100}
        member = {} if campaign is None else {"campaign": campaign, "title": "000"}
        writer.append("start", run=run.id, **member, params=params, tags={"data.fingerprint": "f" * 32} | tags)
        for epoch, accuracy in enumerate(epochs):
            writer.metrics(epoch, {"train/loss": 2.0 - epoch})
            writer.metrics(epoch, {"val/accuracy": accuracy, "val/loss": 1 - accuracy, "epoch": epoch + 1})
        if status is not None:
            best = max(epochs, default=None)
            validation = {} if best is None else {"validation": {"accuracy": best, "loss": 1 - best}}
            run.add_to_report(**validation, training_seconds=1.5)
        if right is not None:
            answers = np.where(np.random.default_rng(0).permutation(len(labels)) < right, labels, (labels + 1) % 10)
            predictions.save(run, np.eye(10, dtype=np.float32)[answers] * 0.8 + 0.02, labels)
            accuracy = right / len(labels)
            run.add_to_report(test={"accuracy": accuracy}, classes=[f"class {number}" for number in range(10)])
        if status is not None:
            writer.append("status", status=status)
        writer.close()
        return run

    return make


@pytest.fixture
def make_campaign(home: Path) -> Callable[..., Run]:
    """Make the folder of a campaign: its name, and what its report says."""

    def make(name: str, status: str = "FINISHED", **report: Any) -> Run:
        run = Run(project.runs() / name)
        run.path.mkdir(parents=True)
        run.save_config(config_of(()))
        writer = run.journal()
        params: dict[str, Any] = flatten(config_of(()).model_dump(mode="json"))
        writer.append("start", run=run.id, proposer=report.get("kind", "grid"), title=name, params=params, tags={})
        run.add_to_report(**report)
        writer.append("status", status=status, tags={})
        writer.close()
        return run

    return make


@pytest.fixture
def command() -> Command:
    """Carry out `visionlab NAME …` in this process; what goes wrong is raised."""

    def command(name: str, *words: str) -> None:
        module = importlib.import_module(f"visionlab.commands.{name}")
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        module.run(parser.parse_args(words))

    return command
