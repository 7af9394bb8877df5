"""Copies a run's journal to MLflow. The only importer of mlflow.

How far the journal has been sent is kept in `shipped.json`, by byte offset. A batch that was sent but not noted,
because the process died in between, is sent again and changes nothing: points carry the journal's times and are the
same rows.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from visionlab import project
from visionlab.config.trainer import TrackingConfig
from visionlab.tracking import journal
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run, write_atomically

RUN_TAG = "visionlab.run"
# the UI then opens the experiment on its training runs instead of guessing what it is for
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
RECORDS_PER_BATCH = 500
METRICS_PER_CALL, PARAMS_PER_CALL = 1000, 100  # MLflow's own limits
LONGEST_PARAM = 250  # what is longer would be cut silently


def connect(config: TrackingConfig) -> MlflowClient:
    """A client of the configured server, or of `mlruns/mlflow.db`, which is created on first use.

    A new database creates its tables when it is first opened, and two processes doing so at once break it: hence the
    lock.
    """
    if config.uri is not None:
        # by default a server that hangs is waited for over eight minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        return MlflowClient(config.uri)
    folder = project.home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        client.search_experiments(max_results=1)
    return client


class Shipment:
    """The way of one run's journal into MLflow."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._config = run.config()
        self._client = connect(self._config.tracking)
        self._tables: list[dict[str, str]] = []

    def send_all(self) -> None:
        """Send what the journal holds by now; a process that sends the same run at the same time is waited for."""
        with FileLock(self._run.path / ".shipping.lock"):
            while self.send():
                pass

    def send(self) -> bool:
        """Send a batch of records; whether there were any."""
        state = shipped(self._run)
        records, offset = journal.read(self._run.journal_file, state["offset"], RECORDS_PER_BATCH)
        if not records:
            return False
        run = state["mlflow_run"] or self._create_run(records[0])
        self._send_metrics(run, [record for record in records if record["kind"] == "metrics"])
        for record in records:
            self._send_other(run, record)
        write_atomically(self._run.path / "shipped.json", json.dumps({"offset": offset, "mlflow_run": run}))
        return True

    def _create_run(self, start: Record) -> str:
        """Find the run that an earlier shipment made, or make it."""
        experiment = self._experiment(self._config.tracking.experiment or self._config.data.name)
        found = self._client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{self._run.id}'", max_results=1)
        if found:
            return str(found[0].info.run_id)
        tags = {RUN_TAG: self._run.id}
        made = self._client.create_run(experiment, start_time=start["time"], tags=tags, run_name=self._run.id)
        return str(made.info.run_id)

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = self._config.tracking.uri is None
        location = (project.home() / "mlruns" / "artifacts" / name).as_uri() if local else None
        try:
            return str(self._client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS))
        except MlflowException:
            # another run has created it in the meantime
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def _send_metrics(self, run: str, records: list[Record]) -> None:
        metrics = [
            Metric(_key(key), value, record["time"], record["step"])
            for record in records
            for key, value in record["values"].items()
        ]
        for part in _parts(metrics, METRICS_PER_CALL):
            self._client.log_batch(run, metrics=part)

    def _send_other(self, run: str, record: Record) -> None:
        match record["kind"]:
            case "start":
                params = [Param(key, _param(value)) for key, value in record["params"].items()]
                for part in _parts(params, PARAMS_PER_CALL):
                    self._client.log_batch(run, params=part)
                self._client.log_batch(run, tags=[RunTag(key, value) for key, value in record["tags"].items()])
                self._client.log_artifact(run, str(self._run.path / "config.yaml"))
            case "artifact":
                file = Path(record["file"])
                folder = str(file.parent) if file.parent != Path() else None
                self._client.log_artifact(run, str(self._run.path / file), folder)
            case "table":
                # log_table appends to what is there: a table sent twice would have its rows twice
                self._client.log_artifact(run, str(self._run.path / record["file"]), str(Path(record["file"]).parent))
                self._tables.append({"path": record["file"], "type": "table"})
                self._client.set_tag(run, "mlflow.loggedArtifacts", json.dumps(self._tables))
            case "status":
                self._client.set_terminated(run, record["status"], record["time"])


def shipped(run: Run) -> dict[str, Any]:
    """How far the journal of `run` has been sent (`offset`, bytes) and as which `mlflow_run`."""
    file = run.path / "shipped.json"
    return json.loads(file.read_text()) if file.exists() else {"offset": 0, "mlflow_run": None}


def _key(name: str) -> str:
    """A metric's name with a code for each character that MLflow refuses, such as those of a class called `c++`."""
    return re.sub(r"[^\w/. :-]", lambda refused: f"_{ord(refused[0]):x}_", name)


def _param(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_PARAM else f"{text[: LONGEST_PARAM - 30]}… (whole: config.yaml)"


def _parts(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
