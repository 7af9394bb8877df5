"""`visionlab runs`: filtered, sorted, as JSON, without test results, and whatever state the folders are in."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Output = pytest.CaptureFixture[str]


def listed(said: str) -> list[str]:
    """The runs of a table, in its order."""
    return [line.split()[0] for line in said.splitlines()[1:]]


def test_the_newest_are_listed_last(make_run: MakeRun, command: Command, capsys: Output) -> None:
    runs = []
    for _ in range(4):
        runs.append(make_run().id)
        time.sleep(0.002)  # times are kept in milliseconds
    command("runs", "-n", "3")
    assert listed(capsys.readouterr().out) == runs[1:]


def test_the_best_come_first_and_those_without_the_metric_last(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    middle, none, best, worst = (make_run(epochs=epochs) for epochs in ((0.6, 0.5), (), (0.9,), (0.1,)))
    command("runs", "--sort", "val/accuracy")
    assert listed(capsys.readouterr().out) == [best.id, middle.id, worst.id, none.id]
    command("runs", "--sort", "val/loss", "-n", "2")
    assert listed(capsys.readouterr().out) == [best.id, middle.id]
    with (worst.path / "metrics.jsonl").open("a") as journal:
        journal.write('{"kind": "metrics", "time": 9, "step": 9, "values": {"train/loss": 0.01}}\n')
        journal.write('{"kind": "status", "time": 9, "status": "FINISHED"}\n')
    command("runs", "--sort", "train/loss")
    said = capsys.readouterr().out
    assert listed(said)[0] == worst.id
    assert "0.0100" in said


def test_only_runs_of_a_name_or_an_mlflow_experiment(make_run: MakeRun, command: Command, capsys: Output) -> None:
    plain, named, other = make_run(), make_run("name=special"), make_run("tracking.experiment=widths")
    command("runs", "--experiment", "special")
    assert listed(capsys.readouterr().out) == [named.id]
    command("runs", "--experiment", "widths")
    assert listed(capsys.readouterr().out) == [other.id]
    command("runs", "--experiment", "digits")
    assert set(listed(capsys.readouterr().out)) == {plain.id, named.id, other.id}
    command("runs", "--experiment", "nothing")
    assert capsys.readouterr().out == "no run of 'nothing'; there are digits, special, widths\n"


def test_test_results_are_shown_only_when_asked_for(make_run: MakeRun, command: Command, capsys: Output) -> None:
    make_run(right=123)  # of 400: 30.75 %
    for words in ([], ["--json"], ["--sort", "val/accuracy"]):
        command("runs", *words)
        said = capsys.readouterr().out
        assert "30.75" not in said
        assert "0.3075" not in said
        assert "test" not in said.replace(str(project.home()), "")
    with pytest.raises(UserError, match="add --test"):
        command("runs", "--sort", "test/accuracy")
    command("runs", "--test", "--sort", "test/accuracy")
    assert "30.75%" in capsys.readouterr().out
    command("runs", "--test", "--json")
    assert json.loads(capsys.readouterr().out)[0]["test/accuracy"] == 0.3075


def test_json_is_strict_and_has_every_digit(make_run: MakeRun, command: Command, capsys: Output) -> None:
    make_run(epochs=(1 / 3,))
    broken = make_run(epochs=(), status=None)
    writer = broken.journal()
    writer.metrics(1, {"val/accuracy": 0.1, "val/loss": math.inf, "val/f1": math.nan})
    writer.append("status", status="FAILED")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    command("runs", "--json", "--sort", "val/accuracy")
    first, second = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert first["val/accuracy"] == 1 / 3
    assert first["started"].endswith("+00:00")
    assert (second["run"], second["status"]) == (broken.id, "FAILED")
    assert (second["val/loss"], second["val/f1"]) == (None, None)


def test_json_of_no_runs_is_an_empty_list(command: Command, capsys: Output) -> None:
    command("runs", "--json")
    assert json.loads(capsys.readouterr().out) == []
    command("runs")
    assert "no run yet" in capsys.readouterr().out


def test_json_can_be_piped_although_a_folder_is_damaged(make_run: MakeRun) -> None:
    run = make_run()
    (make_run().path / "report.json").write_text("{")
    command = f"{sys.executable} -m visionlab runs --json | {sys.executable} -m json.tool"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert [found["run"] for found in json.loads(done.stdout)] == [run.id]
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr


def test_a_metric_that_no_run_has_is_an_error_with_the_nearest_one(make_run: MakeRun, command: Command) -> None:
    make_run()
    with pytest.raises(UserError, match=r"--sort val/acuracy: .*; did you mean val/accuracy\?"):
        command("runs", "--sort", "val/acuracy")


def test_a_run_whose_process_is_gone_is_marked(make_run: MakeRun, command: Command, capsys: Output) -> None:
    gone, alive = make_run(status=None), make_run(status=None)
    lock = alive.lock()
    command("runs", "-n", "1")
    assert f"{gone.id}: its process is gone; marked KILLED" in capsys.readouterr().err
    assert (gone.status(), alive.status()) == ("KILLED", "RUNNING")
    lock.release()
    command("runs")
    assert alive.status() == "KILLED"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_run_that_may_only_be_read_is_listed_all_the_same(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    run = make_run(status=None)
    run.path.chmod(0o500)
    command("runs")
    run.path.chmod(0o700)
    output = capsys.readouterr()
    assert listed(output.out) == [run.id]
    assert "cannot be marked" in output.err


def test_listing_runs_needs_nothing_heavy(make_run: MakeRun) -> None:
    make_run()
    make_run(status=None)
    code = (
        "import sys\nfrom visionlab.cli import main\nmain(['runs', '--sort', 'train/loss'])\n"
        "print('LOADED', *({'torch', 'mlflow', 'numpy', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_campaigns_have_a_list_of_their_own_and_their_runs_too(
    make_run: MakeRun, make_campaign: MakeRun, command: Command, capsys: Output
) -> None:
    best = {"number": 1, "run": "abcd-search-001", "settings": {"optimizer.lr": 0.1}, "values": [0.9]}
    counts = {"finished": 2, "pruned": 1, "failed": 1, "running": 0}
    make_campaign("search", kind="grid", total=4, counts=counts, objectives=["val/accuracy"], best=best)
    make_campaign("empty", "FAILED", kind="grid", total=4, counts={}, objectives=["val/accuracy"], best=None)
    folds = {"estimate": {"mean": 0.8125, "std": 0.0123}, "best": best}
    make_campaign("folds", kind="crossval", total=5, counts=counts, objectives=["val/accuracy"], **folds)
    make_campaign("one", kind="repeat", counts={}, objectives=["val/loss"], estimate={"mean": 0.25, "std": math.nan})
    effects = [{"seen": True}, {"seen": False}, {"seen": None}]
    make_campaign("lab", kind="lab", counts={}, objectives=["val/accuracy"], best=best, effects=effects)
    single, members = make_run(), [make_run(campaign="search") for _ in range(2)]
    command("runs")
    assert listed(capsys.readouterr().out) == [single.id]
    command("runs", "--campaign", "search")
    assert sorted(listed(capsys.readouterr().out)) == sorted(run.id for run in members)
    command("runs", "--campaigns")
    said = capsys.readouterr().out
    assert listed(said) == ["search", "empty", "folds", "one", "lab"]
    search, _, folded, repeated, lab = said.splitlines()[1:]
    assert re.search(r"3/4, 1 failed +90\.00% +best val/accuracy +lr=0\.1$", search)
    assert re.search(r"81\.25% ± 1\.23% +mean val/accuracy$", folded)
    assert re.search(r" 0\.2500 +mean val/loss$", repeated)
    assert re.search(r" 1 of 3 +effects seen$", lab)
    command("runs", "--campaigns", "--json")
    assert [one["status"] for one in json.loads(capsys.readouterr().out)][:2] == ["FINISHED", "FAILED"]
    with pytest.raises(UserError, match="did you mean search"):
        command("runs", "--campaign", "serch")


def test_runs_of_a_campaign_are_not_resumed_or_tested_by_hand(
    make_run: MakeRun, make_campaign: MakeRun, command: Command
) -> None:
    make_campaign("search")
    member = make_run(campaign="search", status="KILLED")
    for name in ("resume", "test"):
        with pytest.raises(UserError, match=f"{member.id}: is a run of the campaign search"):
            command(name, member.id)
        with pytest.raises(UserError, match="search: is a campaign"):
            command(name, "search")
