"""Whole runs with a shipping process and a server of their own, both of which are killed now and then."""

from __future__ import annotations

import multiprocessing
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tracking.server import Proxy, Server, at_random, cut_after, failing, hanging, slow, well
from tests.tracking.stored import artifacts, points_in_journal, points_in_mlflow, stored
from visionlab import project
from visionlab.tracking import journal, shipment_state, shipper
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper, ship_everything

pytestmark = pytest.mark.slow
MakeRun = Callable[..., Run]
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that may be killed."""
    server = Server(tmp_path)
    server.start()
    yield server
    server.kill()


def write_points(run: Run, seconds: float) -> None:
    """What training writes, at 100 steps a second, until its last word."""
    writer = run.journal()
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        writer.metrics(step, {"train/loss": 1 / (step + 1), "lr": 0.1})
        if step % 100 == 0:
            (run.path / "note.txt").write_text(str(step))
            writer.append("artifact", file="note.txt")
        step += 1
        time.sleep(0.01)
    writer.append("status", status="FINISHED", tags={})


def assert_all_is_there_once(run: Run, uri: str | None = None) -> None:
    assert points_in_mlflow(run, uri) == points_in_journal(run)
    assert stored(run, uri).info.status == "FINISHED"
    assert artifacts(run, uri)["note.txt"] == (run.path / "note.txt").read_bytes()


def test_a_server_that_is_killed_in_mid_run_and_started_again(make_run: MakeRun, own_server: Server) -> None:
    run = make_run(f"tracking.uri={own_server.uri}", status=None)
    shipping = Shipper(run)
    shipping.start()
    writing = threading.Thread(target=write_points, args=(run, 25))
    writing.start()
    for _ in range(2):
        arrived = shipment_state.load(run).offset
        while shipment_state.load(run).offset <= arrived:
            time.sleep(0.05)
        own_server.kill()
        time.sleep(2)
        own_server.start()
    writing.join()
    assert shipping.finish(in_a_hurry=False)
    assert_all_is_there_once(run)
    assert "Connection refused" in (run.path / "shipper.log").read_text()


def test_a_server_that_is_away_from_start_to_end(
    make_run: MakeRun, server: Server, proxy: Proxy, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "PATIENCE_SECONDS", 2.0)
    proxy.stop()
    run = make_run(f"tracking.uri={proxy.uri}", status=None)
    shipping = Shipper(run)
    shipping.start()
    write_points(run, 5)
    assert not shipping.finish(in_a_hurry=False)
    failed = cli("sync", run.id)
    assert (failed.returncode, failed.stderr.count("\n")) == (2, 1)
    proxy.start()
    assert cli("sync").stdout == f"{run.id}: MLflow has all of it\n"
    assert_all_is_there_once(run, server.uri)


def test_a_server_that_takes_ten_seconds_for_each_request(make_run: MakeRun, server: Server, proxy: Proxy) -> None:
    proxy.behaviour = slow(10)
    run = make_run(f"tracking.uri={proxy.uri}", status=None)
    write_points(run, 3)
    assert Shipper(run).finish(in_a_hurry=False)
    assert_all_is_there_once(run, server.uri)
    assert len(proxy.seen) < 12


def test_a_server_that_fails_at_random_while_the_shipping_process_is_killed_at_random(
    make_run: MakeRun, server: Server, proxy: Proxy
) -> None:
    proxy.behaviour = at_random(3, 0.3, failing(500), failing(429), cut_after)
    run = make_run(f"tracking.uri={proxy.uri}", status=None)
    writing = threading.Thread(target=write_points, args=(run, 30))
    writing.start()
    numbers = random.Random(3)
    while writing.is_alive():
        shipping = Shipper(run)
        shipping.start()
        assert shipping._process is not None
        requests = len(proxy.seen)
        while len(proxy.seen) == requests and writing.is_alive():  # importing mlflow takes its time
            time.sleep(0.02)
        time.sleep(numbers.uniform(0, 2))
        shipping._process.kill()
        shipping._process.wait()
    proxy.behaviour = well
    assert Shipper(run).finish(in_a_hurry=False)
    assert_all_is_there_once(run, server.uri)


def test_eight_runs_at_once_on_a_store_that_does_not_exist(make_run: MakeRun) -> None:
    runs = [make_run(status=None) for _ in range(8)]
    processes = [multiprocessing.get_context("fork").Process(target=_train, args=(run, 20)) for run in runs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    for run in runs:
        assert_all_is_there_once(run)
        assert (run.path / "shipper.log").read_text() == ""


def test_a_database_of_postgresql(make_run: MakeRun, postgresql: str, tmp_path: Path) -> None:
    server = Server(tmp_path, postgresql.replace("://", "+psycopg2://"))
    server.start()
    try:
        run = make_run(f"tracking.uri={server.uri}", points=1000, status=None, odd="zero \0 byte")
        run.journal().append("dataset", context="training", name="d", digest="d" * 36, images=3, classes={"a": 3})
        shipping = Shipper(run)
        shipping.start()
        write_points(run, 10)
        assert shipping.finish(in_a_hurry=False)
        (run.path / shipment_state.FILE_NAME).unlink()
        ship_everything(run)  # twice changes nothing
        assert_all_is_there_once(run)
        assert len(stored(run).inputs.dataset_inputs) == 1
    finally:
        server.kill()


def test_training_goes_on_while_its_server_is_killed(own_server: Server, home: Path) -> None:
    command = [sys.executable, "-m", "visionlab", "train", "experiment=digits", f"tracking.uri={own_server.uri}"]
    command += ["trainer.max_epochs=60", "trainer.log_every=1", "tracking.system_every=1"]
    with (home / "output").open("w+") as output:
        training = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while not (runs := all_runs(project.runs())) or not shipment_state.load(runs[0]).offset:
            assert training.poll() is None, (home / "output").read_text()
            time.sleep(0.05)
        own_server.kill()
        time.sleep(3)
        own_server.start()
        assert training.wait(200) == 0, (home / "output").read_text()
    (run,) = runs
    assert points_in_mlflow(run) == points_in_journal(run)
    steps = sorted(step for name, step, *_ in points_in_mlflow(run) if name == "train/loss")
    assert steps == list(range(1, max(steps) + 1))
    found = stored(run)
    assert found.info.status == "FINISHED"
    recorded = [
        record["file"] for record in journal.read(run.journal_file)[0] if record["kind"] in ("artifact", "table")
    ]
    assert set(artifacts(run)) == {"config.yaml", *recorded}
    assert len(found.inputs.dataset_inputs) == 3


def test_a_run_that_is_stopped_while_its_server_hangs_goes_on_later_as_the_same_run(
    server: Server, proxy: Proxy, home: Path, cli: Cli
) -> None:
    release = threading.Event()
    proxy.behaviour = hanging(release)
    command = [sys.executable, "-m", "visionlab", "train", "experiment=digits", f"tracking.uri={proxy.uri}"]
    command += ["trainer.max_epochs=400", "trainer.log_every=1"]
    with (home / "output").open("w+") as output:
        training = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        while not proxy.seen:
            assert training.poll() is None, (home / "output").read_text()
            time.sleep(0.05)
        told = time.monotonic()
        training.send_signal(signal.SIGTERM)
        assert training.wait(60) == 143, (home / "output").read_text()
        assert time.monotonic() - told < 10
    release.set()
    proxy.behaviour = well
    (run,) = all_runs(project.runs())
    assert cli("sync").returncode == 0
    before = stored(run, server.uri)
    assert (before.info.status, before.data.tags["signal"]) == ("KILLED", "SIGTERM")
    assert points_in_mlflow(run, server.uri) == points_in_journal(run)
    steps = max(step for name, step, *_ in points_in_journal(run) if name == "train/loss")
    epochs = steps // 10 + 20

    resumed = cli("resume", run.id, f"trainer.max_epochs={epochs}")
    assert resumed.returncode == 0, resumed.stderr
    after = stored(run, server.uri)
    assert (after.info.run_id, after.info.status) == (before.info.run_id, "FINISHED")
    assert after.data.tags["resumed.trainer.max_epochs"] == f"400 -> {epochs}"
    points = points_in_mlflow(run, server.uri)
    assert points == points_in_journal(run)
    losses = sorted(step for name, step, *_ in points.elements() if name == "train/loss")
    assert losses == list(range(1, max(losses) + 1))


def _train(run: Run, seconds: float) -> None:
    shipping = Shipper(run)
    shipping.start()
    write_points(run, seconds)
    assert shipping.finish(in_a_hurry=False)
