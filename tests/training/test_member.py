"""A run of a campaign: no test set, an early end on request, its predictions for the validation images."""

from __future__ import annotations

import threading
import time

import pytest

import visionlab
from tests.campaigns.conftest import TINY
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.search import VALIDATION
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import PrunedRun, WithheldError
from visionlab.tracking import journal, predictions
from visionlab.tracking.member import Member, request_pruning
from visionlab.tracking.run import Run
from visionlab.training.engine import train_member


def prepare(*words: str, latency: bool = False) -> Run:
    run = Run.create(project.runs(), load_train_config([*TINY, *words]))
    Member(campaign="some", title="000 lr=0.1", tags={"command": "visionlab tune"}, latency=latency).save(run)
    return run


def test_it_is_judged_by_validation_and_never_asks_for_the_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: object) -> None:
        raise AssertionError("the test set was asked for")

    monkeypatch.setattr(ImageDataModule, "test_dataloader", read)
    run = prepare(latency=True)
    train_member(run)
    report = run.report()
    assert "test" not in report
    assert report["latency_ms"] > 0
    assert set(report["validation"]) - {"top5_accuracy"} == set(VALIDATION)
    found = predictions.load(run, predictions.VALIDATION)
    right = float((found.predicted == found.labels).mean())
    assert right == pytest.approx(report["validation"]["accuracy"])
    start = run.start()
    assert (start["campaign"], start["title"]) == ("some", "000 lr=0.1")
    assert start["tags"]["command"] == "visionlab tune"


def test_the_test_set_cannot_be_had_from_its_data(monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepare()
    train_member(run)
    data = visionlab.load(run.id).data
    with pytest.raises(WithheldError):
        data.test_dataloader()
    with pytest.raises(WithheldError):
        data.images("test")
    assert "test" not in data.sizes


def test_one_that_is_not_wanted_any_more_does_not_begin() -> None:
    run = prepare()
    request_pruning(run)
    with pytest.raises(PrunedRun):
        train_member(run)
    assert not run.journal_file.exists()


def test_it_ends_within_a_step_when_it_is_to_be_pruned() -> None:
    run = prepare("trainer.max_epochs=100000")
    threading.Thread(target=lambda: (time.sleep(1), request_pruning(run))).start()
    with pytest.raises(PrunedRun):
        train_member(run)
    last = journal.last(run.journal_file)
    assert last is not None
    assert (last["kind"], last["status"]) == ("status", "FINISHED")
    assert last["tags"]["pruned"].endswith("images")
