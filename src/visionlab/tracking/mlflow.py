"""The requests that MLflow knows, in terms of `translation`. Besides `registry` the only importer of mlflow."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.config.trainer import TrackingConfig
from visionlab.tracking.delivery import is_about_something_missing
from visionlab.tracking.package import Package
from visionlab.tracking.registry import Registry
from visionlab.tracking.run import Run
from visionlab.tracking.translation import Entry, Images, Point, Setting, Tag

RUN_TAG, PARENT_TAG = "visionlab.run", "mlflow.parentRunId"
# the UI then opens the experiment on its training runs instead of guessing what it is for
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
# by default a server that hangs is waited for over eight minutes; trying again is the caller's business
REQUESTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# a server works on several requests at once, and waiting for one costs nothing; a database file has one writer
SERVER_THREADS, FILE_THREADS = 4, 1


def connect(config: TrackingConfig) -> MlflowClient:
    """A client of the configured server, or of `mlruns/mlflow.db`, which is created on first use.

    A new database creates its tables when it is first opened, and two processes doing so at once break it: hence the
    lock.
    """
    # what goes wrong is an exception; mlflow would print its own account of it, with a traceback, too
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    if config.uri is not None:
        for name, value in REQUESTS.items():
            os.environ.setdefault(name, value)
        return MlflowClient(config.uri)
    folder = project.home() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        client.search_experiments(max_results=1)
    return client


class Store:
    """The MLflow that a run's configuration names.

    Every method is one request, or two, and may be repeated: the second time it changes nothing, `make_run` excepted.

    Attributes:
        threads: how many requests to make at a time.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._client = connect(config.tracking)
        self._experiment = config.tracking.experiment or config.data.name
        self._is_local = config.tracking.uri is None
        self.threads = FILE_THREADS if self._is_local else SERVER_THREADS

    def experiment(self) -> str:
        """The id of the run's experiment, which is made if there is none."""
        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        artifacts = project.home() / "mlruns" / "artifacts" / self._experiment
        try:
            made = self._client.create_experiment(
                self._experiment,
                artifact_location=artifacts.as_uri() if self._is_local else None,
                tags=EXPERIMENT_TAGS,
            )
            return str(made)
        except MlflowException:
            # another run has created it in the meantime
            found = self._client.get_experiment_by_name(self._experiment)
            if found is None:
                raise
            return str(found.experiment_id)

    def find(self, experiment: str, run: Run) -> list[str]:
        """The ids under which MLflow has the run: one, or none yet; more only after a request to make it went wrong.

        Other people's runs on the same server may have the same name, but did not begin in the same millisecond.
        """
        same = f"tags.`{RUN_TAG}` = '{run.id}' and attributes.start_time = {run.start()['time']}"
        found = self._client.search_runs([experiment], same)
        return [str(one.info.run_id) for one in found]

    def make_run(self, experiment: str, run: Run, parent: str | None = None) -> str:
        """The id of a new run, shown below the one with the id `parent`."""
        start = run.start()
        tags = {RUN_TAG: run.id} | ({PARENT_TAG: parent} if parent is not None else {})
        made = self._client.create_run(
            experiment, start_time=start["time"], tags=tags, run_name=start.get("title", run.id)
        )
        return str(made.info.run_id)

    def has(self, mlflow_run: str) -> bool:
        """Whether there is such a run, deleted or not."""
        try:
            return self._client.get_run(mlflow_run) is not None
        except MlflowException as error:
            if not is_about_something_missing(error):
                raise
            return False

    def is_deleted(self, mlflow_run: str) -> bool:
        """Whether somebody has deleted the run, which then takes nothing more."""
        return str(self._client.get_run(mlflow_run).info.lifecycle_stage) == "deleted"

    def log(self, mlflow_run: str, entries: list[Entry]) -> None:
        """Log points, parameters and tags, as many as a request may have."""
        self._client.log_batch(
            mlflow_run,
            metrics=[Metric(*entry) for entry in entries if isinstance(entry, Point)],
            params=[Param(*entry) for entry in entries if isinstance(entry, Setting)],
            tags=[RunTag(*entry) for entry in entries if isinstance(entry, Tag)],
        )

    def log_images(self, mlflow_run: str, inputs: list[Images]) -> None:
        """Log data sets as inputs of the run."""
        self._client.log_inputs(
            mlflow_run,
            datasets=[
                DatasetInput(
                    Dataset(images.name, images.digest, "local", images.name, images.schema, images.profile),
                    [InputTag("mlflow.data.context", images.context)],
                )
                for images in inputs
            ],
        )

    def log_text(self, mlflow_run: str, path: str, text: str) -> None:
        """Log a text as a file of the run."""
        self._client.log_text(mlflow_run, text, path)

    def log_file(self, mlflow_run: str, run: Run, path: str) -> None:
        """Log a file, by its path in the run's folder."""
        folder = path.rpartition("/")[0]
        self._client.log_artifact(mlflow_run, str(run.path / path), folder or None)

    def set_status(self, mlflow_run: str, status: str, when: int) -> None:
        """Set the status and, unless it is RUNNING, when the run ended (milliseconds since 1970)."""
        if status == "RUNNING":
            self._client.update_run(mlflow_run, status)
        else:
            self._client.set_terminated(mlflow_run, status, when)

    def registry(
        self, mlflow_run: str, package: Package, tags: dict[str, str], on_file: Callable[[int], None] | None = None
    ) -> Registry:
        """The models of a run, see there."""
        return Registry(self._client, mlflow_run, package, tags, on_file)

    def delete(self, mlflow_run: str) -> None:
        """Delete a run."""
        self._client.delete_run(mlflow_run)
