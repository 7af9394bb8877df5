"""Nothing is lost and nothing is doubled, whatever happens to the server, the network and the shipping process."""

from __future__ import annotations

import base64
import contextlib
import multiprocessing
import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tracking.server import (
    Behaviour,
    Proxy,
    Server,
    at_random,
    cut_after,
    cut_before,
    failing,
    hanging,
    on,
    slow,
    well,
)
from tests.tracking.stored import artifacts, client_of, points_in_journal, points_in_mlflow, stored
from visionlab.tracking import shipment, shipment_state
from visionlab.tracking.mlflow import RUN_TAG
from visionlab.tracking.run import Run
from visionlab.tracking.shipment import Shipment
from visionlab.tracking.shipper import ship_everything

MakeRun = Callable[..., Run]
SPARE, MOST_KILLS = 2_000_000, 30


@pytest.fixture
def full_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Make a run with everything in it, which takes a few dozen requests."""
    monkeypatch.setattr(shipment, "RECORDS_PER_READ", 10)
    monkeypatch.setattr(shipment, "POINTS_PER_BATCH", 20)

    def make(uri: str | None) -> Run:
        run = make_run(*([f"tracking.uri={uri}"] if uri else []), points=300, status=None)
        writer = run.journal()
        for context in ("training", "test"):
            writer.append("dataset", context=context, name=context, digest="d" * 36, images=3, classes={"a": 3})
        for number in range(5):
            (run.path / f"{number}.txt").write_text(f"content {number}" if number else "")
            writer.append("artifact", file=f"{number}.txt")
        writer.append("table", file=run.add_table("t", {"class": ["a"], "recall": [0.5]}))
        writer.append("status", status="FAILED", tags={"error.class": "ValueError"})
        writer.close()
        return run

    return make


def assert_all_is_there_once(run: Run, uri: str | None = None) -> None:
    found = stored(run, uri)
    assert points_in_mlflow(run, uri) == points_in_journal(run)
    assert found.info.status == "FAILED"
    assert found.data.tags["error.class"] == "ValueError"
    assert len(found.inputs.dataset_inputs) == 2
    sent = artifacts(run, uri)
    assert set(sent) == {"config.yaml", "tables/t.json", *(f"{number}.txt" for number in range(5))}
    assert all(content == (run.path / name).read_bytes() for name, content in sent.items())
    assert shipment_state.load(run).refused == 0


def send_with_patience(run: Run, tries: int = 200) -> int:
    """Send until it is done; how often it went wrong."""
    for failures in range(tries):
        with contextlib.suppress(Exception):
            Shipment(run).send_all()
            return failures
    raise AssertionError(f"not done after {tries} tries")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(failing(500), id="500"),
        pytest.param(cut_after, id="cut after", marks=pytest.mark.slow),
        pytest.param(failing(429, Retry_After="3600"), id="429", marks=pytest.mark.slow),
        pytest.param(failing(404), id="404", marks=pytest.mark.slow),
        pytest.param(cut_before, id="cut before", marks=pytest.mark.slow),
    ],
)
def test_a_server_that_fails_half_of_the_time(
    full_run: Callable[..., Run], server: Server, proxy: Proxy, bad: Behaviour
) -> None:
    proxy.behaviour = at_random(1, 0.5, bad)
    run = full_run(proxy.uri)
    assert send_with_patience(run) > 5
    assert_all_is_there_once(run, server.uri)


def test_a_server_that_refuses_connections_and_comes_back(
    full_run: Callable[..., Run], server: Server, proxy: Proxy
) -> None:
    run = full_run(proxy.uri)
    proxy.behaviour = on("/log-batch", lambda exchange: (exchange.cut(), proxy.stop())[0], times=1)
    for _ in range(3):
        with pytest.raises(Exception, match=r"Connection|closed"):
            ship_everything(run)
    proxy.start()
    ship_everything(run)
    assert_all_is_there_once(run, server.uri)


@pytest.mark.parametrize(
    "path",
    [
        "/log-batch",
        *(pytest.param(path, marks=pytest.mark.slow) for path in ("/log-inputs", "config.yaml", "/update")),
    ],
)
def test_a_request_that_is_carried_out_when_nobody_waits_for_it_any_more(
    full_run: Callable[..., Run], server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    release = threading.Event()
    proxy.behaviour = on(path, hanging(release), times=1)
    run = full_run(proxy.uri)
    send_with_patience(run)
    release.set()
    time.sleep(0.3)
    assert_all_is_there_once(run, server.uri)


@pytest.mark.slow
@pytest.mark.parametrize("finished", [False, True])
def test_a_run_that_was_made_when_nobody_waited_for_it_any_more_is_removed(
    full_run: Callable[..., Run], server: Server, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    release = threading.Event()
    proxy.behaviour = on("/runs/create", hanging(release), times=2)
    run = full_run(proxy.uri)
    for _ in range(2):
        with pytest.raises(Exception, match=r"timed? ?out"):
            Shipment(run).send()
    Shipment(run).send_all() if finished else Shipment(run).send()
    release.set()
    client = client_of(run, server.uri)
    experiment = client.get_run(shipment_state.load(run).mlflow_run).info.experiment_id
    end = time.monotonic() + 30
    while len(client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.id}'")) < 3:
        assert time.monotonic() < end
        time.sleep(0.1)
    ship_everything(run)
    assert_all_is_there_once(run, server.uri)


def test_runs_of_two_people_that_have_the_same_name_are_two_runs(
    make_run: MakeRun, server: Server, tmp_path: Path
) -> None:
    mine, other = (make_run(f"tracking.uri={server.uri}", points=3) for _ in range(2))
    (tmp_path / "elsewhere").mkdir()
    theirs = Run(other.path.rename(tmp_path / "elsewhere" / mine.id))
    assert ship_everything(mine).mlflow_run != ship_everything(theirs).mlflow_run


@pytest.mark.parametrize(
    "local", [pytest.param(True, id="local store"), pytest.param(False, id="server", marks=pytest.mark.slow)]
)
def test_a_process_that_is_killed_at_any_moment(
    full_run: Callable[..., Run], server: Server, proxy: Proxy, store: None, local: bool
) -> None:
    proxy.behaviour = slow(0.03)
    run = full_run(None if local else proxy.uri)
    size, numbers, kills = run.journal_file.stat().st_size, random.Random(2), 0
    while shipment_state.load(run).offset < size:
        process = multiprocessing.get_context("fork").Process(target=ship_everything, args=(run,))
        process.start()
        process.join(numbers.uniform(0.01, 0.05 if local else 0.5) if kills < MOST_KILLS else None)
        if process.is_alive():
            kills += 1
            process.kill()
            process.join()
    assert kills > 2
    proxy.behaviour = well
    assert_all_is_there_once(run, None if local else server.uri)


def test_a_full_disk_under_the_servers_artifacts(full_run: Callable[..., Run], server: Server) -> None:
    run = full_run(server.uri)
    most = server.database.stat().st_size + SPARE
    (run.path / "1.txt").write_bytes(os.urandom(most + 1))
    with room(server.processes(), most):
        for _ in range(2):
            with pytest.raises(Exception, match=r"API request|Server Error"):
                Shipment(run).send_all()
    Shipment(run).send_all()
    assert_all_is_there_once(run, server.uri)


def test_a_full_disk_under_the_servers_database(full_run: Callable[..., Run], server: Server) -> None:
    run = full_run(server.uri)
    with room(server.processes(), server.database.stat().st_size), pytest.raises(Exception, match=r" 50[03] "):
        Shipment(run).send_all()
    Shipment(run).send_all()
    assert_all_is_there_once(run, server.uri)


def test_a_full_disk_of_this_machine(full_run: Callable[..., Run], store: None) -> None:
    run = full_run(None)
    (run.path / "1.txt").write_bytes(os.urandom(2 * SPARE))
    with room([os.getpid()], SPARE), pytest.raises(OSError, match="File too large"):
        ship_everything(run)
    ship_everything(run)
    assert_all_is_there_once(run)


@pytest.mark.parametrize(
    ("variables", "header"),
    [
        (
            {"MLFLOW_TRACKING_USERNAME": "sesame", "MLFLOW_TRACKING_PASSWORD": "open-barley"},
            "Basic " + base64.b64encode(b"sesame:open-barley").decode(),
        ),
        ({"MLFLOW_TRACKING_TOKEN": "open-barley"}, "Bearer open-barley"),
    ],
    ids=["basic", "token"],
)
def test_who_sends_is_proven_to_the_server_and_written_nowhere(
    full_run: Callable[..., Run],
    server: Server,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    header: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxy.behaviour = on("/log-batch", lambda exchange: exchange.answer(401, str(variables).encode()), times=1)
    run = full_run(proxy.uri)
    with pytest.raises(Exception, match="401") as refusal:
        ship_everything(run)
    shipment_state.note(run, str(refusal.value))
    ship_everything(run)
    assert {seen.headers.get("Authorization") for seen in proxy.seen} == {header}
    assert {seen.method for seen in proxy.seen} == {"GET", "POST", "PUT"}
    for name in variables:
        monkeypatch.delenv(name)
    assert_all_is_there_once(run, server.uri)
    written = b"".join(file.read_bytes() for file in run.path.rglob("*") if file.is_file())
    sent = str(stored(run, server.uri).data).encode() + b"".join(artifacts(run, server.uri).values())
    for secret in (*variables.values(), header.split()[1]):
        assert secret.encode() not in written + sent


@contextlib.contextmanager
def room(processes: list[int], size: int) -> Iterator[None]:
    """Let no file of these processes grow beyond `size` bytes for a while."""
    before = {process: resource.prlimit(process, resource.RLIMIT_FSIZE) for process in processes}
    try:
        for process, (_, hard) in before.items():
            resource.prlimit(process, resource.RLIMIT_FSIZE, (size, hard))
        yield
    finally:
        for process, limits in before.items():
            resource.prlimit(process, resource.RLIMIT_FSIZE, limits)
