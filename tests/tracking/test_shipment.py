"""Sending stops, goes on, starts anew and meets refusals; what comes of it is in MLflow once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.tracking.packages import packaged
from tests.tracking.server import Server
from tests.tracking.stored import artifacts, client_of, points_in_journal, points_in_mlflow, stored
from visionlab.tracking import shipment, shipment_state
from visionlab.tracking.mlflow import Store
from visionlab.tracking.package import origin
from visionlab.tracking.registry import Registry
from visionlab.tracking.run import Run
from visionlab.tracking.shipment import Shipment
from visionlab.tracking.shipper import ship_everything

pytestmark = pytest.mark.usefixtures("store")
MakeRun = Callable[..., Run]


def test_an_artifact_that_has_changed_is_sent_again_but_once_a_batch(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(status=None)
    sent: list[str] = []
    monkeypatch.setattr(Shipment, "_send_files", _counting(Shipment._send_files, sent))
    writer = run.journal()
    for content in ("old", "older", "new"):
        (run.path / "note.txt").write_text(content)
        writer.append("artifact", file="note.txt")
    ship_everything(run)
    assert (sent.count("note.txt"), artifacts(run)["note.txt"]) == (1, b"new")
    (run.path / "note.txt").write_text("newest")
    writer.append("artifact", file="note.txt")
    ship_everything(run)
    assert artifacts(run)["note.txt"] == b"newest"


def test_an_artifact_that_is_gone_is_noted_and_holds_nothing_up(make_run: MakeRun) -> None:
    run = make_run(status=None)
    writer = run.journal()
    writer.append("artifact", file="figures/gone.png")
    writer.append("table", file="tables/gone.json")
    writer.metrics(1, {"loss": 1.0})
    writer.append("status", status="FINISHED", tags={})
    ship_everything(run)
    assert stored(run).info.status == "FINISHED"
    assert points_in_mlflow(run) == points_in_journal(run)
    assert "gone.png: is not there any more" in (run.path / "shipper.log").read_text()
    assert json.loads(stored(run).data.tags["mlflow.loggedArtifacts"]) == []


def test_a_network_in_the_journal_becomes_a_model_once(make_run: MakeRun) -> None:
    run = make_run(status=None)
    package = packaged(run)
    writer = run.journal()
    content = {"name": "lamp", "folder": f"models/{package.path.name}", "tags": origin(run)}
    writer.append("model", **content)
    writer.append("model", **content | {"folder": "models/gone"})
    writer.append("status", status="FINISHED", tags={})
    ship_everything(run)
    (run.path / shipment_state.FILE_NAME).unlink()
    ship_everything(run)
    assert len(client_of(run).search_model_versions("name = 'lamp'")) == 1
    version = client_of(run).get_model_version_by_alias("lamp", "current")
    assert (version.run_id, version.tags["run"]) == (stored(run).info.run_id, run.id)
    assert stored(run).info.status == "FINISHED"
    assert "models/gone: is not there any more" in (run.path / "shipper.log").read_text()


def test_of_two_networks_of_a_run_the_later_has_the_alias(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visionlab.tracking.mlflow.FILE_THREADS", 2)  # as with a server
    monkeypatch.setattr(Registry, "_ready_model", _slower_at_first(Registry._ready_model))
    run = make_run(status=None)
    writer = run.journal()
    for checkpoint in (b"first", b"trained for longer"):
        package = packaged(run, checkpoint)
        writer.append("model", name="lamp", folder=f"models/{package.path.name}", tags=origin(run))
    writer.append("status", status="FINISHED", tags={})
    ship_everything(run)
    version = client_of(run).get_model_version_by_alias("lamp", "current")
    assert version.tags["checkpoint.sha256"] == origin(run)["checkpoint.sha256"]


@pytest.mark.parametrize("part", ["about.json", "network", "code"])
def test_a_network_of_which_a_part_is_gone_holds_nothing_up(part: str, make_run: MakeRun) -> None:
    run = make_run(status=None)
    package = packaged(run)
    writer = run.journal()
    writer.append("model", name="lamp", folder=f"models/{package.path.name}", tags=origin(run))
    writer.append("status", status="FINISHED", tags={})
    (package.path / part).rename(run.path / part)
    ship_everything(run)
    assert stored(run).info.status == "FINISHED"
    assert "is not there any more; going on without it" in (run.path / "shipper.log").read_text()


def test_a_run_that_goes_on_is_the_same_run_and_running_again(make_run: MakeRun) -> None:
    run = make_run(points=3, status="KILLED")
    ship_everything(run)
    before = stored(run)
    assert before.info.status == "KILLED"
    (run.path / "config.yaml").write_text(
        (run.path / "config.yaml").read_text().replace("max_epochs: 15", "max_epochs: 20")
    )
    writer = run.journal()
    writer.append("resume", step=3, tags={"resumed.trainer.max_epochs": "15 -> 20"})
    ship_everything(run)
    assert stored(run).info.status == "RUNNING"
    assert "max_epochs: 20" in artifacts(run)["config.yaml"].decode()
    writer.metrics(3, {"train/loss": 0.25})
    writer.append("status", status="FINISHED", tags={})
    ship_everything(run)
    after = stored(run)
    assert (after.info.run_id, after.info.status) == (before.info.run_id, "FINISHED")
    assert after.data.tags["resumed.trainer.max_epochs"] == "15 -> 20"
    assert points_in_mlflow(run) == points_in_journal(run)


def test_a_run_that_went_on_before_anything_was_sent_ends_as_it_ended(make_run: MakeRun) -> None:
    run = make_run(status="KILLED")
    writer = run.journal()
    writer.append("resume", step=0, tags={})
    ship_everything(run)
    assert stored(run).info.status == "RUNNING"
    writer.append("status", status="FINISHED", tags={})
    (run.path / shipment_state.FILE_NAME).unlink()
    ship_everything(run)
    assert stored(run).info.status == "FINISHED"


def test_a_batch_sent_twice_is_there_once(make_run: MakeRun) -> None:
    run = make_run(points=20, status=None)
    run.journal().append("table", file=run.add_table("t", {"class": ["a"], "recall": [0.5]}))
    ship_everything(run)
    (run.path / shipment_state.FILE_NAME).unlink()  # as if the process had died before it could note anything
    ship_everything(run)
    assert points_in_mlflow(run) == points_in_journal(run)
    assert json.loads(artifacts(run)["tables/t.json"])["data"] == [["a", 0.5]]


def test_sending_goes_on_where_it_stopped(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipment, "RECORDS_PER_READ", 7)
    monkeypatch.setattr(shipment, "POINTS_PER_BATCH", 14)
    run = make_run(points=20)
    assert Shipment(run).send()
    assert 0 < shipment_state.load(run).offset < run.journal_file.stat().st_size
    ship_everything(run)
    assert shipment_state.load(run).offset == run.journal_file.stat().st_size
    assert points_in_mlflow(run) == points_in_journal(run)


def test_a_batch_goes_on_behind_the_last_request_that_was_answered(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(points=1)
    sent: list[str] = []
    monkeypatch.setattr(Store, "log", _counting(Store.log, sent))
    monkeypatch.setattr(Shipment, "_send_files", _failing_once(Shipment._send_files))
    with pytest.raises(OSError, match="out of order"):
        ship_everything(run)
    assert shipment_state.load(run).done == 1
    run.journal().metrics(1, {"train/loss": 0.5})  # what comes later belongs to a later batch
    first = len(sent)
    ship_everything(run)
    assert len(sent) > first
    assert not any(entry in sent[first:] for entry in sent[:first])
    assert points_in_mlflow(run) == points_in_journal(run)


def test_a_state_that_cannot_be_read_is_as_none(make_run: MakeRun) -> None:
    run = make_run(points=2)
    ship_everything(run)
    for content in ("", "{", "[]", '{"unknown": 1}'):
        (run.path / shipment_state.FILE_NAME).write_text(content)
        assert shipment_state.load(run) == shipment_state.ShipmentState()
    ship_everything(run)
    assert points_in_mlflow(run) == points_in_journal(run)


def test_what_is_refused_for_good_is_left_out_counted_and_noted(make_run: MakeRun) -> None:
    run = make_run(points=5, status=None)
    ship_everything(run)
    writer = run.journal()
    writer.append("start", run=run.id, params={"seed": "another", "new": 1}, tags={"kept": "yes"})
    writer.metrics(5, {"train/loss": 0.5})
    writer.append("status", status="FINISHED", tags={})
    state = ship_everything(run)
    assert state.refused == 1
    found = stored(run)
    assert (found.data.params["seed"], found.data.params["new"], found.data.tags["kept"]) == ("0", "1", "yes")
    assert found.info.status == "FINISHED"
    assert points_in_mlflow(run) == points_in_journal(run)
    assert "refused for good: seed" in (run.path / "shipper.log").read_text()


def test_a_run_that_was_deleted_in_mlflow_is_let_go(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(points=5, status=None)
    ship_everything(run)
    client_of(run).delete_run(stored(run).info.run_id)
    writer = run.journal()
    for step in range(5, 700):
        writer.metrics(step, {"train/loss": 0.5})
    sent: list[str] = []
    monkeypatch.setattr(Store, "log", _counting(Store.log, sent))
    state = ship_everything(run)
    assert (state.refused, state.offset) == (695, run.journal_file.stat().st_size)
    assert len(sent) == 695  # one by one would never end


@pytest.mark.parametrize("more", [False, True])
def test_a_run_that_is_not_in_the_store_any_more_is_sent_again(make_run: MakeRun, more: bool) -> None:
    run = make_run(points=5)
    ship_everything(run)
    client_of(run).delete_run(stored(run).info.run_id)
    shipment_state.keep(run, replace(shipment_state.load(run), mlflow_run="0" * 32))  # one that does not exist
    if more:
        run.journal().append("resume", step=5, tags={})
        Shipment(run).send_all()
    else:
        ship_everything(run)
    assert stored(run).info.status == ("RUNNING" if more else "FINISHED")
    assert points_in_mlflow(run) == points_in_journal(run)


def test_a_run_that_goes_on_with_another_store_is_there_as_a_whole(make_run: MakeRun, server: Server) -> None:
    run = make_run(points=5)
    first = ship_everything(run).mlflow_run
    text = (run.path / "config.yaml").read_text()
    (run.path / "config.yaml").write_text(text.replace("uri: null", f"uri: {server.uri}"))
    assert ship_everything(run).mlflow_run != first
    assert points_in_mlflow(run) == points_in_journal(run)


def _counting(method: Callable[..., None], sent: list[str]) -> Callable[..., None]:
    def counted(self: object, run: str, entries: list[object]) -> None:
        sent.extend(map(str, entries))
        method(self, run, entries)

    return counted


def _failing_once(method: Callable[..., None]) -> Callable[..., None]:
    left = [1]

    def fail(self: object, run: str, entries: list[object]) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError("out of order")
        method(self, run, entries)

    return fail


def _slower_at_first(method: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[object] = []

    def slow(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            time.sleep(0.5)
        return method(*arguments)

    return slow
