"""A package becomes one model and one version, whatever happened before; MLflow alone can load it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus

from tests.tracking.packages import packaged
from tests.tracking.server import Exchange, Proxy, failing, well
from tests.tracking.stored import client_of, points_in_journal, points_in_mlflow, stored
from visionlab.tracking import registry as registries
from visionlab.tracking import shipment_state
from visionlab.tracking.mlflow import Store
from visionlab.tracking.package import Package, origin
from visionlab.tracking.registry import Registered, Registry
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import ship_everything

MakeRun = Callable[..., Run]
KILLED_AT = (
    "create_logged_model",
    "log_model_artifact",
    "finalize_logged_model",
    "create_registered_model",
    "create_model_version",
    "set_logged_model_tags",
    "set_registered_model_alias",
)


def registry_of(run: Run, package: Package | None = None) -> Registry:
    state = ship_everything(run)
    assert state.mlflow_run is not None
    return Store(run.config()).registry(state.mlflow_run, package or packaged(run), origin(run))


def models(run: Run) -> list[Any]:
    return list(client_of(run).search_logged_models([stored(run).info.experiment_id]))


def versions(run: Run, name: str = "lamp") -> list[Any]:
    return sorted(client_of(run).search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))


@pytest.mark.usefixtures("store")
def test_a_version_has_alias_description_run_and_tags_and_the_model_names_it(make_run: MakeRun) -> None:
    run = make_run(accuracy=0.75, **{"data.fingerprint": "f" * 32})
    assert registry_of(run).register("lamp", "production", "bright") == Registered(1, is_new=True, moved=True)
    found = client_of(run).get_model_version_by_alias("lamp", "production")
    assert (found.version, found.description, found.run_id) == (1, "bright", stored(run).info.run_id)
    assert found.tags == origin(run)
    (model,) = models(run)
    assert (model.status, model.source_run_id) == (LoggedModelStatus.READY, stored(run).info.run_id)
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "lamp", "version": "1"}]


@pytest.mark.usefixtures("store")
def test_the_model_has_signature_example_and_requirements_and_loads_where_its_code_is_not(
    make_run: MakeRun, home: Path, tmp_path: Path
) -> None:
    run = make_run()
    registry_of(run).register("lamp", "current")
    (run.path / "models").rename(run.path / "elsewhere")
    script = """
import json, mlflow.pyfunc, numpy as np
model = mlflow.pyfunc.load_model("models:/lamp@current")
answer = model.predict(np.full((2, 3, 5, 3), 51, np.uint8))
example = model.predict(model.input_example)
print(json.dumps([answer.to_dict("records"), list(example), model.metadata.signature.to_dict()]))
"""
    uri = f"sqlite:///{home / 'mlruns' / 'mlflow.db'}"
    environment = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    answer, columns, signature = json.loads(done.stdout.splitlines()[-1])
    assert answer == [{"bright": pytest.approx(0.2), "dark": pytest.approx(0.8)}] * 2
    assert columns == ["bright", "dark"]
    assert json.loads(signature["inputs"])[0]["tensor-spec"] == {"dtype": "uint8", "shape": [-1, -1, -1, -1]}
    assert [(one["name"], one["type"]) for one in json.loads(signature["outputs"])] == [
        ("bright", "double"),
        ("dark", "double"),
    ]
    folder = Path(models(run)[0].artifact_location.removeprefix("file://"))
    assert set((folder / "requirements.txt").read_text().split()) >= {"numpy==2.0.0"}
    assert yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]["code"] == "code"


@pytest.mark.usefixtures("store")
def test_registering_again_moves_the_alias_and_brings_tags_up_to_date(make_run: MakeRun) -> None:
    run = make_run(accuracy=0.75)
    package = packaged(run)
    registry_of(run, package).register("lamp", "current")
    run.add_to_report(test={"accuracy": 0.5})
    again = registry_of(run, package).register("lamp", "production", "tested")
    assert again == Registered(1, is_new=False, moved=True)
    assert registry_of(run, package).register("lamp", "production") == Registered(1, is_new=False, moved=False)
    (version,) = versions(run)
    assert (version.tags["test/accuracy"], version.description) == ("0.5", "tested")
    assert len(models(run)) == 1
    registry_of(run, package).register("lantern", "current")
    assert [len(versions(run, name)) for name in ("lamp", "lantern")] == [1, 1]
    assert len(json.loads(models(run)[0].tags["mlflow.modelVersions"])) == 2
    assert len(models(run)) == 1


@pytest.mark.usefixtures("store")
def test_another_checkpoint_of_the_run_is_another_version(make_run: MakeRun) -> None:
    run = make_run()
    registry_of(run).register("lamp", "current")
    assert registry_of(run, packaged(run, b"trained for longer")).register("lamp", "current").version == 2
    assert len(models(run)) == 2
    assert client_of(run).get_model_version_by_alias("lamp", "current").version == 2


@pytest.mark.usefixtures("store")
def test_a_run_that_is_sent_late_does_not_take_the_alias_from_a_newer_one(make_run: MakeRun) -> None:
    older = make_run()
    newer = make_run()
    newer_start = newer.start()["time"]
    assert newer_start > older.start()["time"]
    registry_of(newer).register("lamp", "current", newest_only=True)
    late = registry_of(older)
    assert late.register("lamp", "current", newest_only=True) == Registered(2, is_new=True, moved=False)
    assert client_of(newer).get_model_version_by_alias("lamp", "current").version == 1
    late.register("lamp", "current")  # by hand
    assert client_of(newer).get_model_version_by_alias("lamp", "current").version == 2


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("method", KILLED_AT)
def test_what_was_killed_anywhere_is_completed_once(
    method: str, is_done: bool, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    package = packaged(run)
    real = getattr(MlflowClient, method)

    def kill(*arguments: Any, **keywords: Any) -> None:
        if is_done:
            real(*arguments, **keywords)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, kill)
        with pytest.raises(KeyboardInterrupt):
            registry_of(run, package).register("lamp", "current")
    assert registry_of(run, package).register("lamp", "current").version == 1
    assert [model.status for model in models(run)] == [LoggedModelStatus.READY]
    (version,) = versions(run)
    assert client_of(run).get_model_version_by_alias("lamp", "current").version == version.version
    assert len(json.loads(models(run)[0].tags["mlflow.modelVersions"])) == 1


@pytest.mark.usefixtures("store")
def test_a_model_of_a_request_that_was_carried_out_after_all_goes(make_run: MakeRun) -> None:
    run = make_run()
    registry = registry_of(run)
    experiment, mlflow_run = stored(run).info.experiment_id, stored(run).info.run_id
    for _ in range(2):
        client_of(run).create_logged_model(experiment, "late", mlflow_run, origin(run))
    registry.register("lamp", "current")
    assert [model.status for model in models(run)] == [LoggedModelStatus.READY]


def test_a_server_has_all_files_of_a_model(make_run: MakeRun, proxy: Proxy) -> None:
    run = make_run(f"tracking.uri={proxy.uri}")
    assert registry_of(run).register("lamp-of-a-server", "current").version == 1
    (version,) = versions(run, "lamp-of-a-server")
    assert version.run_id == stored(run).info.run_id
    (model,) = client_of(run).search_logged_models([stored(run).info.experiment_id], f"name = '{run.id}'")
    listed = {file.path for file in client_of(run).list_logged_model_artifacts(model.model_id)}
    assert {"MLmodel", "code", "data", "requirements.txt", "input_example.json"} <= listed


def test_an_older_server_takes_all_of_a_run_but_the_model(make_run: MakeRun, proxy: Proxy) -> None:
    proxy.behaviour = lambda exchange: (failing(404) if "logged-models" in exchange.seen.path else well)(exchange)
    run = make_run(f"tracking.uri={proxy.uri}", points=3, status=None)
    package = packaged(run)
    writer = run.journal()
    writer.append("model", name="old-lamp", folder=f"models/{package.path.name}", tags=origin(run))
    writer.append("status", status="FINISHED", tags={})
    assert ship_everything(run).refused == 1
    assert stored(run).info.status == "FINISHED"
    assert points_in_mlflow(run) == points_in_journal(run)
    assert "expected MLflow 3 or later" in (run.path / "shipper.log").read_text()


def test_a_server_that_forbids_models_takes_all_of_a_run_besides(make_run: MakeRun, proxy: Proxy) -> None:
    proxy.behaviour = lambda exchange: (failing(403) if "registered-models" in exchange.seen.path else well)(exchange)
    run = make_run(f"tracking.uri={proxy.uri}", points=3, status=None)
    package = packaged(run)
    writer = run.journal()
    writer.append("model", name="others-lamp", folder=f"models/{package.path.name}", tags=origin(run))
    writer.append("status", status="FINISHED", tags={})
    ship_everything(run)
    assert stored(run).info.status == "FINISHED"
    assert points_in_mlflow(run) == points_in_journal(run)
    assert "model others-lamp: is forbidden" in (run.path / "shipper.log").read_text()


def test_each_file_that_a_slow_server_takes_is_a_sign_but_not_the_same_again(make_run: MakeRun, proxy: Proxy) -> None:
    run = make_run(f"tracking.uri={proxy.uri}", status=None)
    package = packaged(run)
    ship_everything(run)
    writer = run.journal()
    writer.append("model", name="slow-lamp", folder=f"models/{package.path.name}", tags=origin(run))
    signs: list[object] = []

    def behave(exchange: Exchange) -> None:
        is_file = exchange.seen.method == "PUT"
        if is_file:
            signs.append(shipment_state.last_sign(run))
        (failing(500) if is_file and len(signs) == 4 else well)(exchange)

    proxy.behaviour = behave
    with pytest.raises(Exception, match="500"):
        ship_everything(run)
    ship_everything(run)
    assert len(signs) > 8
    assert [signs[0] == sign for sign in signs[1:4]] == [False] * 3
    assert signs[3:8] == [signs[3]] * 5  # what was refused, and those before it once more
    assert len(set(signs[7:])) == len(signs[7:])


def test_the_example_fits_the_signature() -> None:
    example = registries.example()
    (spec,) = registries.signature(("a", "b")).inputs.inputs
    assert (example.shape, example.dtype, spec.type) == ((1, 8, 8, 3), np.uint8, np.uint8)
