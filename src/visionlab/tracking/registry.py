"""MLflow's models and their versions, made of a run's package. Besides `mlflow` the only importer of mlflow.

Every step looks for what an earlier attempt has left, so that one that was killed is completed, and a model that is
there is not made again.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow.pyfunc
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from visionlab.tracking.package import CHECKPOINT_TAG, RUN_TAG, START_TAG, Package

# a server that is older than MLflow 3 knows runs and versions, but no models
TOO_OLD = "failed with error code 404"


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Attributes:
        is_new: whether it was made now.
        moved: whether its alias was another version's or none's before.
    """

    version: int
    is_new: bool
    moved: bool


class Registry:
    """Models of one run.

    Args:
        client: of the MLflow that has the run.
        mlflow_run: the run's id there.
        package: of one of the run's checkpoints.
        tags: of that checkpoint, as `package.origin` has them.
        on_file: is told how many files of a new model have arrived.
    """

    def __init__(
        self,
        client: MlflowClient,
        mlflow_run: str,
        package: Package,
        tags: dict[str, str],
        on_file: Callable[[int], None] | None = None,
    ) -> None:
        self._client, self._run, self._package, self._tags = client, mlflow_run, package, tags
        self._on_file = on_file
        self._about = package.about()

    def register(
        self, name: str, alias: str, description: str | None = None, *, newest_only: bool = False
    ) -> Registered:
        """Make the version of the registered model `name` that is this network, and give it the alias.

        Args:
            newest_only: leave the alias where it is if that is the network of a run that was started later.

        Raises:
            Exception: whatever a server or a network may come up with.
        """
        model = self._ready_model()
        self._make_registered_model(name)
        found = self._version(name)
        version = found or self._client.create_model_version(
            name,
            source=model.artifact_location,
            run_id=self._run,
            model_id=model.model_id,
            tags=self._tags,
            description=description,
        )
        self._name_in_model(model, name, str(version.version))
        if found is not None:
            self._bring_up_to_date(found, description)
        holder = self._holder(name, alias)
        moves = holder is None or not (newest_only and self._is_older_than(holder))
        if moves:
            self._client.set_registered_model_alias(name, alias, version.version)
        before = None if holder is None else int(holder.version)
        return Registered(int(version.version), found is None, moves and before != int(version.version))

    def _ready_model(self) -> LoggedModel:
        """The model with all of its files. More than one come of requests that were carried out after all."""
        experiment = str(self._client.get_run(self._run).info.experiment_id)
        try:
            found = self._models(experiment)
        except MlflowException as error:
            if TOO_OLD not in str(error):
                raise
            raise MlflowException.invalid_parameter_value(
                "the server does not know models, expected MLflow 3 or later"
            ) from error
        if not found:
            name = re.sub(r"[^\w-]", "-", self._tags[RUN_TAG])
            self._client.create_logged_model(experiment, name, self._run, self._tags, model_type="classifier")
            found = self._models(experiment)
        model, *others = sorted(found, key=lambda one: (one.status != LoggedModelStatus.READY, one.creation_timestamp))
        for other in others:
            if other.status != LoggedModelStatus.READY:
                self._client.delete_logged_model(other.model_id)
        if model.status != LoggedModelStatus.READY:
            with tempfile.TemporaryDirectory() as folder:
                self._write(model, Path(folder))
                self._send(model, Path(folder))
            self._client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return model

    def _models(self, experiment: str) -> list[LoggedModel]:
        checkpoint = self._tags[CHECKPOINT_TAG]
        same = f"source_run_id = '{self._run}' AND tags.`{CHECKPOINT_TAG}` = '{checkpoint}'"
        return list(self._client.search_logged_models([experiment], same))

    def _write(self, model: LoggedModel, folder: Path) -> None:
        """The files of the model. With the requirements given, MLflow does not import it to find them out."""
        mlflow.pyfunc.save_model(
            str(folder),
            loader_module=self._about.loader,
            data_path=str(self._package.network),
            code_paths=[str(path) for path in self._package.code.iterdir()],
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                run_id=self._run,
                model_id=model.model_id,
            ),
            signature=signature(self._about.classes),
            input_example=example(),
            pip_requirements=list(self._about.requirements),
        )

    def _send(self, model: LoggedModel, folder: Path) -> None:
        """One after the other: of hundreds at once, nobody could tell whether a slow server still takes them."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for number, file in enumerate(files, start=1):
            place = file.parent.relative_to(folder).as_posix()
            self._client.log_model_artifact(model.model_id, str(file), None if place == "." else place)
            if self._on_file is not None:
                self._on_file(number)

    def _make_registered_model(self, name: str) -> None:
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _version(self, name: str) -> ModelVersion | None:
        """The version that is this network, the first if there are several."""
        found = self._client.search_model_versions(f"name = '{name}' AND run_id = '{self._run}'")
        checkpoint = self._tags[CHECKPOINT_TAG]
        same = [version for version in found if version.tags.get(CHECKPOINT_TAG) == checkpoint]
        return min(same, key=lambda version: int(version.version), default=None)

    def _name_in_model(self, model: LoggedModel, name: str, version: str) -> None:
        """Tag the model with its version: the UI shows the way from one to the other by it."""
        known = json.loads(model.tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
        if not any(one["name"] == name and str(one["version"]) == version for one in known):
            listed = json.dumps([*known, {"name": name, "version": version}])
            self._client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: listed})

    def _bring_up_to_date(self, version: ModelVersion, description: str | None) -> None:
        """The run may have been tested since."""
        for key, value in self._tags.items():
            if version.tags.get(key) != value:
                self._client.set_model_version_tag(version.name, version.version, key, value)
        if description is not None:
            self._client.update_model_version(version.name, version.version, description)

    def _holder(self, name: str, alias: str) -> ModelVersion | None:
        """The version that has the alias."""
        try:
            return self._client.get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None

    def _is_older_than(self, version: ModelVersion) -> bool:
        return int(self._tags[START_TAG]) < int(version.tags.get(START_TAG, 0))


def signature(classes: tuple[str, ...]) -> ModelSignature:
    """Images (B, H, W, C) of any size, and for each of them the probabilities of all classes."""
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, -1))]),
        outputs=Schema([ColSpec(DataType.double, name) for name in classes]),
    )


def example() -> np.ndarray:
    """An image of few pixels, which stands in a model's files as text: red from left to right, green downwards."""
    steps = np.linspace(0, 255, 8).astype(np.uint8)
    red, green = np.meshgrid(steps, steps)
    return np.stack([red, green, np.zeros_like(red)], axis=-1)[None]
