"""What MLflow has of a run, to be compared with its journal."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from visionlab.tracking import journal
from visionlab.tracking.run import Run

Point = tuple[str, int, float, int]


def client_of(run: Run, uri: str | None = None) -> Any:
    """A client of the run's store, or of the server itself where the run has to go through a proxy."""
    from visionlab.tracking.mlflow import connect

    return connect(run.config().tracking.model_copy(update={"uri": uri or run.config().tracking.uri}))


def stored(run: Run, uri: str | None = None) -> Any:
    """The run as MLflow has it: there is exactly one."""
    from visionlab.tracking.mlflow import RUN_TAG

    client = client_of(run, uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (found,) = client.search_runs(experiments, f"tags.`{RUN_TAG}` = '{run.id}'")
    return found


def points_in_journal(run: Run) -> Counter[Point]:
    """Name, step, value and time of every point, and how often it is there."""
    return Counter(
        (name, record["step"], value, record["time"])
        for record in journal.read(run.journal_file)[0]
        if record["kind"] == "metrics"
        for name, value in record["values"].items()
    )


def points_in_mlflow(run: Run, uri: str | None = None) -> Counter[Point]:
    """The same of MLflow."""
    found, client = stored(run, uri), client_of(run, uri)
    return Counter(
        (name, point.step, point.value, point.timestamp)
        for name in found.data.metrics
        for point in client.get_metric_history(found.info.run_id, name)
    )


def artifacts(run: Run, uri: str | None = None) -> dict[str, bytes]:
    """Content of all artifacts by path."""
    with tempfile.TemporaryDirectory() as there:
        folder = Path(client_of(run, uri).download_artifacts(stored(run, uri).info.run_id, "", there))
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
