"""Runs as training leaves them, made without training; a real MLflow server, and a way to it that can be disturbed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tracking.server import Proxy, Server
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import flatten
from visionlab.config.trainer import TrackingConfig
from visionlab.tracking.run import Run

# no test may reach the network; set before mlflow is imported
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

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
            writer.append("status", status=status, tags={})
        writer.close()
        return run

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and nothing in them: to make one takes longer than to copy it."""
    from visionlab.tracking.mlflow import connect

    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLAB_HOME", str(folder))
        connect(TrackingConfig())
    return folder / "mlruns" / "mlflow.db"


@pytest.fixture
def store(home: Path, empty_store: Path) -> None:
    """A local store that is ready."""
    (home / "mlruns").mkdir()
    shutil.copy(empty_store, home / "mlruns")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that every test may use and none may hurt."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A way to the server that can be disturbed."""
    proxy = Proxy(server.port)
    proxy.start()
    yield proxy
    proxy.stop()
