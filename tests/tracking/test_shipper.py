"""The shipping process, beside a run that goes on, after it, and when the run is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.server import Proxy, Server, failing, hanging, on
from tests.tracking.stored import points_in_journal, points_in_mlflow, stored
from visionlab.tracking import shipment_state, shipper
from visionlab.tracking.catalog import unshipped
from visionlab.tracking.others import Others
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Patience, Shipper, ship_everything

pytestmark = pytest.mark.usefixtures("store")
MakeRun = Callable[..., Run]


def test_everything_is_sent_while_the_run_goes_on_and_after_it(make_run: MakeRun) -> None:
    left = make_run(points=3)
    run = make_run(points=5, status=None)
    shipping = Shipper(run)
    shipping.start()
    shipping.start()  # a second call starts no second process
    writer = run.journal()
    writer.metrics(5, {"train/loss": 0.1})
    _wait_until(lambda: shipment_state.load(run).offset == run.journal_file.stat().st_size)
    assert stored(run).info.status == "RUNNING"
    _wait_until(lambda: unshipped(run.path.parent) == [])  # also of the run that had ended before
    writer.append("status", status="FINISHED", tags={})
    assert shipping.finish(in_a_hurry=False)
    assert points_in_mlflow(run) == points_in_journal(run)
    assert stored(run).info.status == stored(left).info.status == "FINISHED"
    assert (run.path / "shipper.log").read_text() == ""


@pytest.mark.slow
def test_a_server_that_is_not_there_ends_the_run_no_later_than_patience(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper, "PATIENCE_SECONDS", 1.0)
    run = make_run("tracking.uri=http://127.0.0.1:9", points=5)
    assert not Shipper(run).finish(in_a_hurry=False)
    lines = (run.path / "shipper.log").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("Connection refused")


@pytest.mark.slow
def test_in_a_hurry_a_server_that_hangs_is_waited_for_three_seconds(make_run: MakeRun, proxy: Proxy) -> None:
    release = threading.Event()
    proxy.behaviour = hanging(release)
    run = make_run(f"tracking.uri={proxy.uri}", points=5, status=None)
    shipping = Shipper(run)
    shipping.start()
    _wait_until(lambda: bool(proxy.seen))
    run.journal().append("status", status="KILLED", tags={"signal": "SIGTERM"})
    started = time.monotonic()
    assert not shipping.finish(in_a_hurry=True)
    assert time.monotonic() - started < 4
    release.set()


def test_a_run_that_is_told_to_stop_before_its_first_step_waits_for_nothing(make_run: MakeRun) -> None:
    run = make_run()
    assert not Shipper(run).finish(in_a_hurry=True)
    assert not (run.path / "shipper.log").exists()


@pytest.mark.slow
def test_a_shipping_process_that_was_killed_is_replaced_at_the_end(make_run: MakeRun) -> None:
    run = make_run(points=5, status=None)
    shipping = Shipper(run)
    shipping.start()
    assert shipping._process is not None
    shipping._process.kill()
    shipping._process.wait()
    run.journal().append("status", status="FINISHED", tags={})
    assert shipping.finish(in_a_hurry=False)
    assert points_in_mlflow(run) == points_in_journal(run)


def test_patience_counts_from_the_last_sign_and_the_first_one_may_take_longer(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(shipper.time, "monotonic", lambda: now[0])
    run = make_run()
    patience = Patience(run, first=120)
    for seconds, sign, over in ((119, False, False), (121, True, False), (145, False, False), (147, False, True)):
        now[0] = float(seconds)
        if sign:
            shipment_state.keep(run, shipment_state.ShipmentState())
        assert patience.is_over() == over


@pytest.mark.slow
def test_starting_a_shipper_does_not_import_mlflow(make_run: MakeRun) -> None:
    run = make_run()
    code = f"""
import sys
from pathlib import Path
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
shipping = Shipper(Run(Path({str(run.path)!r})))
shipping.start()
print("mlflow" in sys.modules, "torch" in sys.modules, shipping.finish(in_a_hurry=False))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "False", "True"]


@pytest.mark.slow
def test_the_shipper_of_a_run_that_was_killed_says_so_sends_what_is_there_and_ends(make_run: MakeRun) -> None:
    run = make_run(points=3, status=None)
    assert _orphan(run).wait(60) == 0
    assert run.status() == "KILLED"
    assert stored(run).info.status == "KILLED"
    assert points_in_mlflow(run) == points_in_journal(run)


@pytest.mark.slow
def test_the_shipper_of_a_run_that_was_killed_ends_without_a_server_too(make_run: MakeRun) -> None:
    run = make_run("tracking.uri=http://127.0.0.1:9", points=3, status=None)
    patience = "from visionlab.tracking import shipper; shipper.PATIENCE_SECONDS = 1; "
    code = f"{patience}import sys; from pathlib import Path; sys.exit(shipper.main(Path({str(run.path)!r}), 1))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 1
    assert run.status() == "KILLED"


def test_sending_needs_neither_torch_nor_hydra() -> None:
    code = (
        "import sys; from visionlab.tracking import shipper; from visionlab.tracking.convoy import Convoy; "
        "assert 'mlflow' in sys.modules; assert not {'torch', 'hydra', 'omegaconf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_only_one_process_works_on_a_run(make_run: MakeRun) -> None:
    own, other = make_run(), make_run(points=3)
    with shipment_state.lock(other):
        Others(own)._ship(other)  # another process is at it: passed over, without a word
    assert shipment_state.load(other).offset == 0
    assert not (other.path / "shipper.log").exists()
    Others(own)._ship(other)
    assert points_in_mlflow(other) == points_in_journal(other)


def test_runs_left_behind_are_sent_unless_they_go_on_or_their_server_is_away(make_run: MakeRun, server: Server) -> None:
    own = make_run()
    ended, running = make_run(points=3), make_run(points=3, status=None)
    lost = make_run("tracking.uri=http://127.0.0.1:9")
    elsewhere = make_run(f"tracking.uri={server.uri}", points=3)
    Others(own)._work()
    assert {run.id for run in unshipped(own.path.parent)} == {own.id, running.id, lost.id}
    for run in (ended, elsewhere):
        assert points_in_mlflow(run) == points_in_journal(run)
    assert "Connection refused" in (lost.path / "shipper.log").read_text()


def test_runs_left_behind_are_dropped_when_the_own_run_ends(make_run: MakeRun) -> None:
    own, other = make_run(), make_run(points=3)
    others = Others(own)
    others.stop()
    others._work()
    assert shipment_state.load(other).offset == 0


def test_the_state_is_brought_to_the_disk_before_it_replaces_the_old_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run()
    done: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("sync"), sync(number)))
    monkeypatch.setattr(Path, "replace", lambda *paths: (done.append("replace"), replace(*paths)))
    shipment_state.keep(run, shipment_state.ShipmentState(offset=7))
    assert done == ["sync", "replace", "sync"]
    assert shipment_state.load(run).offset == 7


def test_notes_are_short_lines_without_the_secrets_of_the_environment(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter22")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok-1234")
    run = make_run()
    shipment_state.note(run, "sent hunter22\nand tok-1234 " + "x" * 5000)
    (line,) = (run.path / "shipper.log").read_text().splitlines()
    assert "sent *** and ***" in line
    assert len(line) < 600


def test_a_second_sending_of_a_run_asks_the_server_next_to_nothing(make_run: MakeRun, proxy: Proxy) -> None:
    run = make_run(f"tracking.uri={proxy.uri}", points=3)
    ship_everything(run)
    first = len(proxy.seen)
    ship_everything(run)
    assert len(proxy.seen) - first == 1
    assert json.loads((run.path / shipment_state.FILE_NAME).read_text())["uri"] == proxy.uri


def _orphan(run: Run) -> subprocess.Popen[bytes]:
    """The shipping process of a training process that is gone."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    return subprocess.Popen([sys.executable, "-m", "visionlab.tracking.shipper", str(run.path), str(ended.pid)])


def _wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_trying_the_same_again_and_again_is_no_sign_of_progress(
    make_run: MakeRun, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers every question but makes no run must not hold the end of a run up for ever."""
    run = make_run(f"tracking.uri={proxy.uri}", points=5)
    proxy.behaviour = on("runs/create", failing(500), times=10**6)
    signs = set()
    for _ in range(4):
        with pytest.raises(Exception, match="500"):
            ship_everything(run)
        signs.add(shipment_state.last_sign(run))
    assert len(signs) == 1
