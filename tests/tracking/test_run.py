"""The folder of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.errors import KILLED, RankError, UserError
from visionlab.tracking import journal
from visionlab.tracking.run import Run, write_atomically

MakeRun = Callable[..., Run]


def test_runs_made_at_the_same_time_have_folders_of_their_own(home: Path) -> None:
    config = load_train_config(["experiment=digits"])
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: Run.create(project.runs(), config), range(40)))
    assert len({run.id[:4] for run in runs}) == 40
    assert all(run.config() == config for run in runs)


def test_the_id_says_what_the_run_is(home: Path) -> None:
    run = Run.create(project.runs(), load_train_config(["experiment=digits", "name=my-try"]))
    assert run.id[4:] == "-my-try"


def test_the_status_is_the_journals_last_word(make_run: MakeRun) -> None:
    assert make_run().status() == "FINISHED"
    assert make_run(status="FAILED").status() == "FAILED"
    run = make_run(points=3, status=None)
    assert run.status() == "RUNNING"


def test_the_best_checkpoint_goes_before_the_last(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(UserError, match="has no checkpoint"):
        run.checkpoint()
    run.checkpoints.mkdir()
    (run.checkpoints / "last.ckpt").touch()
    assert run.checkpoint().name == "last.ckpt"
    (run.checkpoints / "best.ckpt").touch()
    assert run.checkpoint().name == "best.ckpt"


def test_the_report_is_added_to(make_run: MakeRun) -> None:
    run = make_run(accuracy=0.5)
    run.add_to_report(test={"accuracy": 0.4}, classes=["ä", "b"])
    assert run.report() == {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.4}, "classes": ["ä", "b"]}


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new\udc80")
    assert file.read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="expected a folder that can be written to"):
        Run.create(tmp_path / "runs", load_train_config(["experiment=digits"]))


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="expected a folder that can be written to"):
        Run.create(tmp_path / "runs", load_train_config(["experiment=digits"]))


def test_only_one_process_at_a_time_trains_a_run(make_run: MakeRun) -> None:
    run = make_run(status=None)
    with run.lock(), pytest.raises(UserError, match=f"{run.id}: is being trained by another process"):
        Run(run.path).lock()
    Run(run.path).lock().release()


def test_a_run_whose_process_is_gone_is_marked_and_one_that_lives_is_not(make_run: MakeRun) -> None:
    run = make_run(points=2, status=None)
    with run.lock():
        assert not Run(run.path).mark_if_abandoned()
        assert run.status() == "RUNNING"
    assert run.mark_if_abandoned()
    assert run.status() == "KILLED"
    assert not run.mark_if_abandoned()
    assert not make_run(status="FINISHED").mark_if_abandoned()


def begun_elsewhere(run: Run) -> Run:
    line, _, rest = run.journal_file.read_text().partition("\n")
    record = json.loads(line)
    record["tags"]["host"] = "elsewhere"
    run.journal_file.write_text(json.dumps(record) + "\n" + rest)
    return run


def test_a_run_whose_first_process_is_gone_is_marked_by_another_one_with_the_reason(make_run: MakeRun) -> None:
    run = begun_elsewhere(make_run(status=None))  # and gone on with here
    with run.lock():
        assert not Run(run.path).mark_if_abandoned(RankError(0, KILLED, "was killed by signal 9"))
    assert run.mark_if_abandoned(RankError(0, KILLED, "was killed by signal 9"))
    last = journal.last(run.journal_file)
    assert last is not None
    assert last["status"] == "FAILED"
    assert last["tags"] == {
        "error.class": "Killed", "error.message": "rank 0 was killed by signal 9", "error.rank": "0",
    }  # fmt: skip


def test_what_is_not_defined_is_null_in_a_table_so_that_strict_json_can_be_read(make_run: MakeRun) -> None:
    run = make_run()
    file = run.add_table("t", {"class": ["a", "b", "c"], "recall": [0.5, float("nan"), float("inf")]})
    with (run.path / file).open() as stream:
        content = json.load(stream, parse_constant=pytest.fail)
    assert content == {"columns": ["class", "recall"], "data": [["a", 0.5], ["b", None], ["c", None]]}


def test_a_changed_configuration_replaces_the_old_and_says_what_is_new(make_run: MakeRun) -> None:
    run = make_run()
    config = run.config()
    longer = config.model_copy(update={"trainer": config.trainer.model_copy(update={"max_epochs": 99})})
    assert run.changes(longer) == {"trainer.max_epochs": (config.trainer.max_epochs, 99)}
    run.save_config(longer)
    assert run.config() == longer
    assert run.changes(longer) == {}


def test_a_run_on_another_machine_is_gone_only_when_it_has_been_silent_for_long(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun_elsewhere(make_run(points=2, status=None))
    assert not run.mark_if_abandoned()
    long_ago = run.journal_file.stat().st_mtime - 7200
    os.utime(run.journal_file, (long_ago, long_ago))
    assert run.mark_if_abandoned()
