"""`visionlab rm`: removes what was named and nothing else, and only after asking."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from visionlab import project
from visionlab.config.trainer import TrackingConfig
from visionlab.errors import UserError
from visionlab.tracking import removal, shipment_state
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sit at a terminal and answer this."""

    def answer(text: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("builtins.input", lambda prompt: text)

    return answer


def ids() -> set[str]:
    return {run.id for run in all_runs(project.runs())}


@pytest.mark.parametrize("text", ["y", "Yes", " YES "])
def test_a_run_goes_after_a_yes_and_the_others_stay(
    text: str, make_run: MakeRun, command: Command, answer: Callable[[str], None], capsys: Output
) -> None:
    run, other = make_run(right=300), make_run()
    answer(text)
    command("rm", run.id[:4])
    said = capsys.readouterr().out
    assert str(run.path) in said
    assert "MB" in said
    assert ids() == {other.id}
    assert [path.name for path in project.runs().iterdir()] == [other.id]


@pytest.mark.parametrize("text", ["", "n", "no", "yess", "maybe"])
def test_anything_but_yes_removes_nothing(
    text: str, make_run: MakeRun, command: Command, answer: Callable[[str], None]
) -> None:
    run = make_run()
    answer(text)
    command("rm", run.id)
    assert ids() == {run.id}


def test_without_a_terminal_it_takes_a_yes_beforehand(make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(2)]
    words = [sys.executable, "-m", "visionlab", "rm", *(run.id for run in runs)]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "visionlab: rm: there is no terminal to ask on; --yes removes without asking\n"
    assert len(ids()) == 2
    subprocess.run([*words, "--yes"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert ids() == set()


def test_names_that_are_too_risky_mean_no_run(make_run: MakeRun, command: Command) -> None:
    run = make_run()
    for name in ("", "best"):
        with pytest.raises(UserError, match="expected a run's id"):
            command("rm", name, "--yes")
    with pytest.raises(UserError, match="expected a run id"):
        command("rm", run.id, "nothing", "--yes")
    with pytest.raises(UserError, match="expected a run id"):
        command("rm", "../runs", "--yes")
    assert ids() == {run.id}
    command("rm", "last", run.id, "--yes")  # the same one, twice
    assert ids() == set()


def test_a_run_under_way_is_refused_and_all_others_with_it(make_run: MakeRun, command: Command) -> None:
    run, other = make_run(status=None), make_run()
    with run.lock(), pytest.raises(UserError, match="being trained by another process"):
        command("rm", other.id, run.id, "--yes")
    with shipment_state.lock(run), pytest.raises(UserError, match="being sent to MLflow by another process"):
        command("rm", other.id, run.id, "--yes")
    assert ids() == {run.id, other.id}
    command("rm", other.id, run.id, "--yes")  # the locks were given back
    assert ids() == set()


def test_a_damaged_run_can_be_removed(make_run: MakeRun, command: Command) -> None:
    run, other = make_run(), make_run()
    run.journal_file.write_text("nonsense\n")
    (run.path / "shipped.json").write_text("{")
    command("rm", run.id, "--yes")
    assert ids() == {other.id}
    (other.path / "config.yaml").unlink()
    command("rm", other.id, "--yes")
    assert ids() == set()


def test_what_a_link_in_a_run_points_to_stays(make_run: MakeRun, command: Command, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    run = make_run()
    (run.path / "link").symlink_to(tmp_path / "precious")
    command("rm", run.id, "--yes")
    assert (tmp_path / "precious" / "file").exists()


def test_being_killed_in_the_middle_leaves_no_half_run_and_the_next_removal_cleans_up(
    make_run: MakeRun, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = make_run(), make_run()

    def die(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(removal.shutil, "rmtree", die)
    process = multiprocessing.get_context("fork").Process(target=command, args=("rm", run.id, "--yes"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    monkeypatch.undo()
    monkeypatch.setenv("VISIONLAB_HOME", str(run.path.parents[1]))
    assert ids() == {other.id}
    assert (project.runs() / removal.TRASH).exists()
    command("rm", other.id, "--yes")
    assert list(project.runs().iterdir()) == []


def test_it_is_removed_from_mlflow_too(make_run: MakeRun, command: Command, capsys: Output) -> None:
    from visionlab.tracking.mlflow import connect
    from visionlab.tracking.shipper import ship_everything

    run, other = make_run(), make_run("seed=1")
    for one in (run, other):
        ship_everything(one)
    number = shipment_state.load(run).mlflow_run
    command("rm", run.id, "--yes")
    assert f"MLflow run {number}" in capsys.readouterr().out
    client = connect(TrackingConfig())
    experiments = [one.experiment_id for one in client.search_experiments()]
    assert [found.info.run_name for found in client.search_runs(experiments)] == [other.id]
    # what somebody has deleted there already is no error, nor is a run that the store never had
    client.delete_run(shipment_state.load(other).mlflow_run)
    command("rm", other.id, "--yes")
    stranger = make_run()
    shipment_state.keep(stranger, ShipmentState(mlflow_run="0" * 32))
    command("rm", stranger.id, "--yes")
    assert ids() == set()


def test_without_an_answer_of_the_server_nothing_is_removed_unless_it_may_stay_there(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    run = make_run()
    shipment_state.keep(run, ShipmentState(uri="http://127.0.0.1:9", mlflow_run="a" * 32))
    with pytest.raises(UserError, match="its folder was not removed either; try again later, or --disk-only"):
        command("rm", run.id, "--yes")
    assert ids() == {run.id}
    command("rm", run.id, "--yes", "--disk-only")
    assert ids() == set()


def test_a_local_store_that_is_gone_as_a_whole_is_not_made_anew(make_run: MakeRun, command: Command) -> None:
    run = make_run()
    shipment_state.keep(run, ShipmentState(mlflow_run="a" * 32))
    command("rm", run.id, "--yes")
    assert ids() == set()
    assert not (project.home() / "mlruns").exists()


def test_a_campaign_is_removed_with_its_runs_and_its_study(
    make_run: MakeRun, make_campaign: MakeRun, command: Command
) -> None:
    from visionlab.campaigns.study import Study
    from visionlab.config.search import Objective

    Study("search", None, project.runs(), (Objective(),), "test").define({"kind": "grid"})
    campaign = make_campaign("search")
    members = [make_run(campaign="search") for _ in range(2)]
    writer = campaign.journal()
    for member in members:
        writer.append("member", run=member.id)
    single = make_run()
    command("rm", "search", "--yes", "--disk-only")
    assert [run.path.exists() for run in (campaign, *members, single)] == [False, False, False, True]
    assert Study.definition("search", None, project.runs()) is None
