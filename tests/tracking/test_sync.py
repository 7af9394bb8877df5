"""`visionlab sync`: what is left is sent, a line a run, and never a traceback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.tracking.server import Proxy, failing
from tests.tracking.stored import points_in_journal, points_in_mlflow, stored
from visionlab import cli as command_line
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import ship_everything

pytestmark = pytest.mark.usefixtures("store")
MakeRun = Callable[..., Run]
NOWHERE = "http://127.0.0.1:9"


def sync(*arguments: str) -> int:
    try:
        command_line.main(["sync", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize("arguments", [(), ("--all",)])
def test_all_that_is_left_is_sent(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    runs = [make_run(points=3) for _ in range(3)]
    make_run("tracking=off")
    ship_everything(runs[0])
    assert sync(*arguments) == 0
    assert capsys.readouterr().out.splitlines() == [f"{run.id}: MLflow has all of it" for run in runs[1:]]
    for run in runs:
        assert points_in_mlflow(run) == points_in_journal(run)
    assert sync(*arguments) == 0
    assert capsys.readouterr().out == "MLflow has all of every run\n"


def test_one_run_is_sent_and_one_that_was_sent_is_looked_for(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = make_run(points=3), make_run()
    for _ in range(2):
        assert sync(run.id[:4]) == 0
        assert capsys.readouterr().out == f"{run.id}: MLflow has all of it\n"


def test_a_run_whose_process_is_gone_is_marked_first(make_run: MakeRun) -> None:
    run = make_run(points=3, status=None)
    assert sync() == 0
    assert run.status() == "KILLED"
    assert stored(run).info.status == "KILLED"


def test_a_run_that_goes_on_is_sent_as_far_as_it_is(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(points=3, status=None)
    with run.lock():
        assert sync("last") == 0
    assert capsys.readouterr().out == f"{run.id}: MLflow has all of it so far\n"
    assert stored(run).info.status == "RUNNING"


def test_a_server_that_is_away_is_named_once_and_holds_up_no_other_run(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = [make_run(f"tracking.uri={NOWHERE}") for _ in range(2)]
    run = make_run(points=3)
    assert sync() == 2
    output = capsys.readouterr()
    assert output.out == f"{run.id}: MLflow has all of it\n"
    names = ", ".join(run.id for run in lost)
    assert output.err == f"visionlab: {NOWHERE} does not take {names} (Connection refused); try again later\n"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_an_answer_that_is_no_good_is_a_line(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], proxy: Proxy, status: int
) -> None:
    proxy.behaviour = failing(status)
    run = make_run(f"tracking.uri={proxy.uri}")
    assert sync(run.id) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{proxy.uri} does not take {run.id}" in line
    assert str(status) in line


def test_what_the_server_refuses_is_said(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(points=3)
    ship_everything(run)
    run.journal().append("start", run=run.id, params={"seed": "another"}, tags={})
    assert sync() == 0
    where = run.path / "shipper.log"
    said = f"{run.id}: MLflow has all of it except what it refused (entries: 1; see {where})\n"
    assert capsys.readouterr().out == said


def test_a_run_that_cannot_be_read_holds_up_no_other_run(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    torn, strange, bare, run = make_run(points=3), make_run(), make_run(), make_run(points=3)
    (bare.path / "config.yaml").write_bytes(b"\xff\x00")
    lines = torn.journal_file.read_bytes().splitlines(keepends=True)
    torn.journal_file.write_bytes(lines[0] + b"\0" * 10 + b"\n" + b"".join(lines[1:]))
    (strange.path / "config.yaml").write_text("unknown: 1\n")
    assert sync() == 2
    output = capsys.readouterr()
    assert output.out == f"{run.id}: MLflow has all of it\n"
    errors = output.err.splitlines()
    assert any(f"{torn.id}: " in line and "is damaged" in line for line in errors)
    assert any(f"{strange.id}: " in line and "more)" in line for line in errors)
    assert any(bare.id in line for line in errors)
    assert len(errors) == 3


def test_a_journal_whose_end_cannot_be_read_holds_up_no_other_run(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    torn, run = make_run(points=3), make_run(points=3)
    torn.journal_file.write_bytes(torn.journal_file.read_bytes() + b"{\n")
    assert sync() == 2
    output = capsys.readouterr()
    assert output.out == f"{run.id}: MLflow has all of it\n"
    assert "is damaged" in output.err


def test_without_tracking_there_is_nothing_to_send(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run("tracking=off")
    assert sync(run.id) == 2
    assert "was trained with tracking=off" in capsys.readouterr().err


def test_a_run_and_all_exclude_each_other(
    make_run: MakeRun, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = cli("sync", "last", "--all")
    assert done.returncode == 2
    assert "not allowed with" in done.stderr
