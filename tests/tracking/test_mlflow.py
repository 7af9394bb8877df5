"""Everything in the journal is in MLflow, once."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from visionlab.config.trainer import TrackingConfig
from visionlab.tracking import mlflow as shipping
from visionlab.tracking.mlflow import RUN_TAG, Shipment, connect, shipped
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import ship_everything

MakeRun = Callable[..., Run]


def stored(run: Run) -> Any:
    """The run as MLflow has it."""
    client = connect(TrackingConfig())
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (found,) = client.search_runs(experiments, f"tags.`{RUN_TAG}` = '{run.id}'")
    return found


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    client = connect(TrackingConfig())
    points = client.get_metric_history(stored(run).info.run_id, metric)
    return sorted((point.step, point.value) for point in points)


def test_params_tags_metrics_config_and_status_arrive(make_run: MakeRun) -> None:
    run = make_run("model.width=12", points=30, command="visionlab train")
    ship_everything(run)
    found = stored(run)
    assert found.info.run_name == run.id
    assert found.info.status == "FINISHED"
    assert found.data.params["model.width"] == "12"
    assert found.data.tags["command"] == "visionlab train"
    assert history(run, "train/loss") == [(step, 1 / (step + 1)) for step in range(30)]
    artifacts = {file.path for file in connect(TrackingConfig()).list_artifacts(found.info.run_id)}
    assert "config.yaml" in artifacts


def test_artifacts_and_tables_arrive(make_run: MakeRun) -> None:
    run = make_run(status=None)
    run.figures.mkdir()
    (run.figures / "picture.png").write_bytes(b"PNG")
    writer = run.journal()
    writer.append("artifact", file="figures/picture.png")
    writer.append("table", file=run.add_table("t", {"class": ["a", "b"], "recall": [0.5, None]}))
    writer.append("status", status="FAILED")
    ship_everything(run)
    found = stored(run)
    assert found.info.status == "FAILED"
    client = connect(TrackingConfig())
    folder = Path(client.download_artifacts(found.info.run_id, ""))
    assert (folder / "figures" / "picture.png").read_bytes() == b"PNG"
    table = json.loads((folder / "tables" / "t.json").read_text())
    assert table == {"columns": ["class", "recall"], "data": [["a", 0.5], ["b", None]]}
    assert json.loads(found.data.tags["mlflow.loggedArtifacts"]) == [{"path": "tables/t.json", "type": "table"}]


def test_a_metric_whose_name_mlflow_refuses_arrives_under_another(make_run: MakeRun) -> None:
    run = make_run(status=None)
    writer = run.journal()
    writer.metrics(1, {"test_recall/c++": 0.25, "test_recall/c#": 0.5, "test_recall/plain name": 1.0})
    writer.append("status", status="FINISHED")
    ship_everything(run)
    values = stored(run).data.metrics
    assert values["test_recall/plain name"] == 1.0
    assert sorted(values.values()) == [0.25, 0.5, 1.0]


def test_a_batch_sent_twice_is_there_once(make_run: MakeRun) -> None:
    run = make_run(points=20, status=None)
    run.journal().append("table", file=run.add_table("t", {"class": ["a"], "recall": [0.5]}))
    ship_everything(run)
    (run.path / "shipped.json").unlink()  # as if the process had died before it could note anything
    ship_everything(run)
    assert history(run, "train/loss") == [(step, 1 / (step + 1)) for step in range(20)]
    folder = Path(connect(TrackingConfig()).download_artifacts(stored(run).info.run_id, ""))
    assert json.loads((folder / "tables" / "t.json").read_text())["data"] == [["a", 0.5]]


def test_sending_goes_on_where_it_stopped(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "RECORDS_PER_BATCH", 7)
    run = make_run(points=20)
    assert Shipment(run).send()
    assert 0 < shipped(run)["offset"] < run.journal_file.stat().st_size
    ship_everything(run)
    assert shipped(run)["offset"] == run.journal_file.stat().st_size
    assert len(history(run, "train/loss")) == 20


def test_a_parameter_that_mlflow_would_cut_points_to_the_whole(make_run: MakeRun) -> None:
    urls = [f"https://example.org/{i}/" + "x" * 60 for i in range(5)]
    run = make_run("data=cifar10", f"data.urls=[{','.join(urls)}]")
    ship_everything(run)
    value = stored(run).data.params["data.urls"]
    assert len(value) <= shipping.LONGEST_PARAM
    assert value.endswith("(whole: config.yaml)")


def test_processes_that_start_on_a_store_that_does_not_exist(make_run: MakeRun) -> None:
    runs = [make_run(points=10) for _ in range(4)]
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=ship_everything, args=(run,)) for run in runs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    for run in runs:
        assert len(history(run, "train/loss")) == 10
