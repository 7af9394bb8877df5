"""What is known of a run without reading all of its journal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from visionlab.comparison.summary import Summary, summaries
from visionlab.errors import UserError
from visionlab.tracking.journal import Journal
from visionlab.tracking.run import Run

Begin = Callable[[str], Journal]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Begin a run of this id; its journal."""

    def begin(name: str) -> Journal:
        (tmp_path / name).mkdir()
        journal = Journal(tmp_path / name / "metrics.jsonl")
        journal.append("start", run=name, params={"data.name": "digits", "model.name": "cnn", "name": "x"}, tags={})
        return journal

    return begin


def read(tmp_path: Path, name: str) -> Summary:
    return Summary.read(Run(tmp_path / name))


def test_the_best_validation_of_a_run_that_has_not_ended_comes_from_its_journal(begin: Begin, tmp_path: Path) -> None:
    journal = begin("a")
    assert read(tmp_path, "a").validation == {}
    for step, accuracy in enumerate((0.5, 0.9, 0.7)):
        journal.metrics(step, {"val/accuracy": accuracy, "val/loss": 1 - accuracy, "epoch": step + 1})
        journal.metrics(step, {"train/loss": 2.0})
    assert read(tmp_path, "a").validation == pytest.approx({"accuracy": 0.9, "loss": 0.1})
    Run(tmp_path / "a").add_to_report(validation={"accuracy": 0.91})
    assert read(tmp_path, "a").validation == {"accuracy": 0.91}


def test_the_last_value_is_found_far_from_the_end(begin: Begin, tmp_path: Path) -> None:
    journal = begin("a")
    journal.metrics(1, {"train/loss": 3.0})
    journal.metrics(2, {"train/loss": 2.0, "train/loss_of_another": 9.0})
    for step in range(2000):
        journal.metrics(step, {"system/cpu": 1.0})
    assert journal.file.stat().st_size > 1 << 16
    summary = read(tmp_path, "a")
    assert summary.metric("train/loss") == 2.0
    assert summary.metric("train/los") is None


def test_a_value_that_is_no_number_is_none_and_an_infinite_one_stays(begin: Begin, tmp_path: Path) -> None:
    begin("a").metrics(1, {"train/loss": math.nan, "val/loss": math.inf})
    assert read(tmp_path, "a").metric("train/loss") is None
    assert read(tmp_path, "a").metric("val/loss") == math.inf


def test_a_line_that_is_being_written_does_not_count_yet(begin: Begin, tmp_path: Path) -> None:
    journal = begin("a")
    journal.metrics(1, {"train/loss": 1.0})
    with journal.file.open("ab") as stream:
        stream.write(b'{"kind": "metrics", "time": 1, "step": 2, "values": {"train/loss": 7.')
    assert read(tmp_path, "a").metric("train/loss") == 1.0


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "metrics.jsonl").write_text("nonsense\n"),
        lambda folder: (folder / "metrics.jsonl").write_bytes(b"\xff\xfe\x00\n"),
        lambda folder: (folder / "metrics.jsonl").write_text('{"kind": "start"}\n'),
        lambda folder: (folder / "metrics.jsonl").write_text('{"time": 1, "params": 3, "tags": {}}\n'),
        lambda folder: (folder / "metrics.jsonl").write_text("half a line"),
        lambda folder: (folder / "report.json").write_text("{"),
        lambda folder: (folder / "report.json").write_text("3"),
    ],
)
def test_a_damaged_run_is_named_and_the_others_are_listed(
    damage: Callable[[Path], object], begin: Begin, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        begin(name).append("status", status="FINISHED")
    damage(tmp_path / "b")
    found, damaged = summaries(tmp_path)
    assert [one.run.id for one in found] == ["a", "c"]
    assert len(damaged) == 1
    assert str(tmp_path / "b") in damaged[0]
    with pytest.raises(UserError, match="is damaged"):
        read(tmp_path, "b")


def test_folders_that_are_no_runs_are_passed_over_without_a_word(begin: Begin, tmp_path: Path) -> None:
    begin("a")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "metrics.jsonl").touch()
    (tmp_path / "other").mkdir()
    found, damaged = summaries(tmp_path)
    assert [one.run.id for one in found] == ["a"]
    assert damaged == []


def test_a_list_does_not_read_whole_journals(begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = begin("a")
    journal.append("status", status="FINISHED")
    Run(tmp_path / "a").add_to_report(validation={"accuracy": 0.5})

    def refuse(self: Path) -> bytes:
        raise AssertionError(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (summary,), _ = summaries(tmp_path)
    assert summary.metric("val/accuracy") == 0.5
    assert json.dumps(summary.report)
