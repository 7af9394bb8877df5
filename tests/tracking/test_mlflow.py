"""Everything in the journal is in MLflow, once."""

from __future__ import annotations

import json
import math
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.stored import artifacts, client_of, points_in_journal, points_in_mlflow, stored
from visionlab.tracking import shipment_state, translation
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import ship_everything

pytestmark = pytest.mark.usefixtures("store")
MakeRun = Callable[..., Run]
DATASET = {"name": "digits-train", "digest": "0123456789abcdef" * 2, "images": 5, "classes": {"zero": 3, "one": 2}}


def test_params_tags_metrics_config_and_status_arrive(make_run: MakeRun) -> None:
    run = make_run("model.width=12", points=30, command="visionlab train")
    ship_everything(run)
    found = stored(run)
    assert found.info.run_name == run.id
    assert found.info.status == "FINISHED"
    assert found.data.params["model.width"] == "12"
    assert found.data.tags["command"] == "visionlab train"
    assert points_in_mlflow(run) == points_in_journal(run)
    assert artifacts(run)["config.yaml"] == (run.path / "config.yaml").read_bytes()


def test_the_list_of_runs_has_columns_for_model_data_and_precision(make_run: MakeRun) -> None:
    run = make_run("seed=7", **{"git.commit": "abc", "command": "visionlab train seed=7"})
    ship_everything(run)
    tags = stored(run).data.tags
    assert (tags["model"], tags["data"]) == ("cnn", "digits")
    assert tags["precision"] == run.start()["params"]["trainer.precision"]
    assert tags["mlflow.note.content"].startswith(f"Run {run.id}: cnn on digits, epochs 15, seed 7")
    assert tags["mlflow.source.name"] == "visionlab train seed=7"
    assert tags["mlflow.source.git.commit"] == "abc"


def test_artifacts_and_tables_arrive(make_run: MakeRun) -> None:
    run = make_run(status=None)
    run.figures.mkdir()
    (run.figures / "picture.png").write_bytes(b"PNG")
    writer = run.journal()
    writer.append("artifact", file="figures/picture.png")
    writer.append("table", file=run.add_table("t", {"class": ["a", "b"], "recall": [0.5, None]}))
    writer.append("status", status="FAILED", tags={"error.class": "ValueError", "error.message": "no"})
    ship_everything(run)
    found = stored(run)
    assert (found.info.status, found.data.tags["error.class"]) == ("FAILED", "ValueError")
    assert artifacts(run)["figures/picture.png"] == b"PNG"
    table = json.loads(artifacts(run)["tables/t.json"])
    assert table == {"columns": ["class", "recall"], "data": [["a", 0.5], ["b", None]]}
    assert json.loads(found.data.tags["mlflow.loggedArtifacts"]) == [{"path": "tables/t.json", "type": "table"}]


def test_the_list_of_tables_survives_a_restart_and_names_each_once(make_run: MakeRun) -> None:
    run = make_run(status=None)
    writer = run.journal()
    for name in ("a", "b", "a"):
        writer.append("table", file=run.add_table(name, {"class": ["x"]}))
        ship_everything(run)  # each with a memory of its own
    listed = json.loads(stored(run).data.tags["mlflow.loggedArtifacts"])
    assert [table["path"] for table in listed] == ["tables/a.json", "tables/b.json"]


def test_data_sets_arrive_with_context_size_classes_and_fingerprint(make_run: MakeRun) -> None:
    run = make_run(status=None)
    writer = run.journal()
    writer.append("dataset", context="training", **DATASET)
    writer.append("dataset", context="test", **DATASET | {"name": "digits-test", "images": 2, "classes": {"one": 2}})
    ship_everything(run)
    (run.path / shipment_state.FILE_NAME).unlink()
    ship_everything(run)  # twice changes nothing
    inputs = {given.dataset.name: given for given in stored(run).inputs.dataset_inputs}
    assert len(stored(run).inputs.dataset_inputs) == len(inputs) == 2
    training = inputs["digits-train"]
    assert [(tag.key, tag.value) for tag in training.tags] == [("mlflow.data.context", "training")]
    profile = json.loads(training.dataset.profile)
    assert profile == {"images": 5, "classes": {"zero": 3, "one": 2}, "fingerprint": DATASET["digest"]}
    assert str(DATASET["digest"]).startswith(training.dataset.digest.rpartition("-")[0])
    assert "2 images" in training.dataset.schema


def test_another_share_of_the_same_data_is_another_data_set(make_run: MakeRun) -> None:
    sizes = []
    for images in (5, 3):
        run = make_run(status=None)
        run.journal().append("dataset", context="training", **DATASET | {"images": images})
        ship_everything(run)
        sizes.append(json.loads(stored(run).inputs.dataset_inputs[0].dataset.profile)["images"])
    assert sizes == [5, 3]


def test_metrics_of_any_name_arrive(make_run: MakeRun) -> None:
    plain = ["test_recall/plain name", "a.b/c-d:e", "ü/日本"]
    odd = ["test_recall/c++", "a//b", "/a", "a/", "..", "../x", "x/./y", "..x", "", "k" * 300]
    run = make_run(status=None)
    run.journal().metrics(1, {name: float(value) for value, name in enumerate(plain + odd)})
    state = ship_everything(run)
    values = stored(run).data.metrics
    assert state.refused == 0
    assert sorted(values.values()) == list(range(len(plain + odd)))
    assert [values[name] for name in plain] == list(range(len(plain)))


def test_values_that_are_no_numbers_arrive_once(make_run: MakeRun) -> None:
    run = make_run(status=None)
    run.journal().metrics(1, {"nan": math.nan, "inf": math.inf, "minus": -math.inf})
    ship_everything(run)
    (run.path / shipment_state.FILE_NAME).unlink()
    ship_everything(run)
    client, found = client_of(run), stored(run)
    values = {
        name: [p.value for p in client.get_metric_history(found.info.run_id, name)] for name in found.data.metrics
    }
    assert len(values["nan"]) == 1
    assert math.isnan(values["nan"][0])
    assert values["inf"] == [-value for value in values["minus"]]
    assert values["inf"][0] > 1e308


def test_parameters_and_tags_that_mlflow_would_cut_point_to_the_whole(make_run: MakeRun) -> None:
    urls = [f"https://example.org/{i}/" + "x" * 200 for i in range(40)]
    run = make_run("data=cifar10", f"data.urls=[{','.join(urls)}]", command="y" * 9000, short="0")
    ship_everything(run)
    found = stored(run)
    whole = {name: text for name, text in artifacts(run).items() if name.startswith("long/")}
    assert len(whole) == 2
    for value, longest, name, text in (
        (found.data.params["data.urls"], translation.LONGEST_PARAM, "data.urls", str(urls)),
        (found.data.tags["command"], translation.LONGEST_TAG, "command", "y" * 9000),
    ):
        assert len(value) == longest
        path = value.rpartition("(whole: ")[2].removesuffix(")")
        assert json.loads(whole[path]) == {name: text}
    assert found.data.tags["short"] == "0"


def test_many_params_and_tags_arrive(make_run: MakeRun) -> None:
    run = make_run(points=600, **{f"tag{i}": str(i) for i in range(250)})
    ship_everything(run)
    tags = stored(run).data.tags
    assert all(tags[f"tag{i}"] == str(i) for i in range(250))
    assert points_in_mlflow(run) == points_in_journal(run)


def test_requests_are_as_few_as_the_limits_allow() -> None:
    batch = translation.Batch(
        points=[translation.Point("loss", 0.5, 0, step) for step in range(2900)],
        params={f"p{i}": "x" for i in range(60)},
        tags={f"t{i}": "x" for i in range(40)},
    )
    parts = batch.parts()
    assert [len(part) for part in parts] == [1000, 1000, 1000]
    assert [entry for part in parts for entry in part if isinstance(entry, translation.Point)] == batch.points


@pytest.mark.slow
def test_processes_that_start_on_a_store_that_does_not_exist(make_run: MakeRun, home: Path) -> None:
    shutil.rmtree(home / "mlruns")
    runs = [make_run(points=200) for _ in range(8)]
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=ship_everything, args=(run,)) for run in runs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    for run in runs:
        assert points_in_mlflow(run) == points_in_journal(run)
        assert not (run.path / "shipper.log").exists()
