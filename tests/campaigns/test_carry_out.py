"""Whole campaigns of tiny runs: what they leave behind, how they go on, what they refuse."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.campaigns.conftest import Campaign, run_of
from visionlab import project
from visionlab.campaigns.best import best_config
from visionlab.campaigns.carry_out import StopRequest
from visionlab.comparison.summary import summaries
from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.tracking import journal, predictions
from visionlab.tracking.catalog import find_run
from visionlab.tracking.run import Run


def members(name: str) -> list[Run]:
    return [one.run for one in summaries(project.runs())[0] if one.campaign == name]


def test_a_grid_leaves_runs_a_table_the_best_and_a_page(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    found = campaign("grid", "widths", "model.hidden=[4],[32]", "optimizer.lr=0.001,0.01", "campaign.workers=2")
    assert found.tally()["finished"] == 4
    runs = members("widths")
    assert sorted(run.id for run in runs) == sorted(child.run for child in found.children)
    for child in found.children:
        run = Run(project.runs() / child.run)
        assert run.config().optimizer.lr == child.settings["optimizer.lr"]
        assert run.status() == "FINISHED"
        assert child.values == (run.report()["validation"]["accuracy"],)
        assert "test" not in run.report()
        assert not (run.path / predictions.TEST).exists()

    own = run_of("widths")
    best = found.best
    assert best is not None
    assert own.report()["best"]["settings"]["optimizer.lr"] == best.settings["optimizer.lr"]
    table = json.loads((own.path / "tables" / "children.json").read_text())
    assert len(table["data"]) == 4
    assert (own.path / "report.html").exists()
    assert own.status() == "FINISHED"
    assert [record["run"] for record in journal.read(own.journal_file)[0] if record["kind"] == "member"] == [
        child.run for child in found.children
    ]
    printed = capsys.readouterr().out
    assert "[4/4]" in printed
    assert "visionlab train campaign_best=widths" in printed

    config = best_config("widths", ["trainer.max_epochs=3"])
    assert config.data.val_fraction == 0
    assert (config.optimizer.lr, config.trainer.max_epochs) == (best.settings["optimizer.lr"], 3)
    with pytest.raises(UserError, match="there is no run yet"):
        find_run(project.runs(), "last")
    with pytest.raises(UserError, match="widths: is a campaign"):
        find_run(project.runs(), "widths")


def test_the_same_words_repeat_nothing_and_more_seeds_are_added(campaign: Campaign) -> None:
    first = campaign("repeat", "again", "seeds=2")
    before = {run.id: run.journal_file.read_bytes() for run in members("again")}
    same = campaign("repeat", "again", "seeds=2")
    assert same.children == first.children
    more = campaign("repeat", "again", "seeds=3", "campaign.workers=2")
    assert [child.settings["seed"] for child in more.finished()] == [0, 1, 2]
    assert {run.id: run.journal_file.read_bytes() for run in members("again") if run.id in before} == before


def test_another_campaign_of_the_same_name_is_refused_with_what_differs_or_begun_beside(campaign: Campaign) -> None:
    campaign("grid", "some", "optimizer.lr=0.01,0.02")
    with pytest.raises(UserError) as raised:
        campaign("grid", "some", "optimizer.lr=0.01,0.03", "trainer.max_epochs=1")
    said = str(raised.value)
    assert "--fresh" in said
    assert "base.trainer.max_epochs: 2 -> 1" in said
    assert "space.optimizer.lr.choices: [0.01, 0.02] -> [0.01, 0.03]" in said
    campaign("grid", "some", "optimizer.lr=0.01,0.03", fresh=True)
    assert [run.config().optimizer.lr for run in members("some-2")] == [0.01, 0.03]
    assert [run.config().optimizer.lr for run in members("some")] == [0.01, 0.02]
    campaign("grid", "some", "optimizer.lr=0.01,0.03")  # goes on with the one that fits
    assert len(members("some-2")) == 2


@pytest.mark.slow
def test_fresh_goes_on_with_what_it_has_begun_and_begins_anew_when_that_is_done(campaign: Campaign) -> None:
    campaign("repeat", "some", "seeds=1")
    campaign("repeat", "some", "seeds=1", fresh=True)
    begun = run_of("some-2").journal()
    begun.append("status", status="KILLED", tags={})
    campaign("repeat", "some", "seeds=2", fresh=True)
    assert [len(members(name)) for name in ("some", "some-2", "some-3")] == [1, 2, 0]
    campaign("repeat", "some", "seeds=3")  # the newest
    assert len(members("some-2")) == 3


def test_a_campaign_that_came_to_nothing_does_not_block_its_name(campaign: Campaign) -> None:
    with pytest.raises(UserError, match="/nowhere"):
        campaign("repeat", "some", "data=folder", "data.root=/nowhere", "seeds=1")
    campaign("repeat", "some", "seeds=1")
    assert run_of("some").status() == "FINISHED"
    assert not run_of("some-2").path.exists()


def test_the_name_of_a_run_is_left_to_it(campaign: Campaign) -> None:
    run = Run.create(project.runs(), load_train_config(["experiment=digits"]))
    writer = run.journal()
    writer.append("start", run=run.id, params={}, tags={})
    before = run.journal_file.read_bytes(), (run.path / "config.yaml").read_bytes()
    with pytest.raises(UserError, match="expected a name that no run has"):
        campaign("repeat", run.id, "seeds=1")
    assert (run.journal_file.read_bytes(), (run.path / "config.yaml").read_bytes()) == before


def test_signals_that_are_ignored_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        told = StopRequest()
        with told.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not told()
            os.kill(os.getpid(), signal.SIGTERM)
            assert told()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_cross_validation_judges_every_training_image_once(campaign: Campaign) -> None:
    found = campaign("crossval", "folds", "folds=3", "data.fraction=0.3", "campaign.workers=2")
    assert found.tally()["finished"] == 3
    parts = [predictions.load(Run(project.runs() / child.run), predictions.VALIDATION) for child in found.children]
    report = run_of("folds").report()
    images = sum(len(part.labels) for part in parts)
    assert report["out_of_fold"]["images"] == images == sum(map(sum, report["confusion"]))
    assert (report["out_of_fold"]["runs"], report["out_of_fold"]["of"]) == (3, 3)
    right = sum(int((part.predicted == part.labels).sum()) for part in parts)
    assert report["out_of_fold"]["metrics"]["accuracy"] == pytest.approx(right / images)
    sizes = [len(part.labels) for part in parts]
    assert max(sizes) - min(sizes) <= 10
    assert report["estimate"]["count"] == 3
    assert report["estimate"]["mean"] == pytest.approx(sum(child.values[0] for child in found.children) / 3)
    assert (run_of("folds").figures / "validation_confusion_matrix.png").exists()


@pytest.mark.slow
def test_a_search_prunes_and_its_pruned_runs_are_finished(campaign: Campaign) -> None:
    # one after the other: the median is that of those before, and the last one learns nothing
    space = "{optimizer.lr: {choices: [0.01, 0.011, 0.012, 0.013, 1.0e-7]}}"
    tiny = ["model=mlp", "model.hidden=[8]", "data.fraction=0.1", "data.augment.translate=0", "tracking=off"]
    words = ["study=digits", f"study.space={space}", "study.sampler=grid", *tiny, "trainer.max_epochs=150"]
    found = campaign("tune", "pruned", *words)
    pruned = [child for child in found.children if child.state == "pruned"]
    assert [child.settings["optimizer.lr"] for child in pruned] == [1.0e-7]
    run = Run(project.runs() / pruned[0].run)
    last = journal.last(run.journal_file)
    assert last is not None
    assert (last["status"], last["tags"]["pruned"].startswith("after")) == ("FINISHED", True)
    epochs = [r["values"]["epoch"] for r in journal.read(run.journal_file)[0] if "epoch" in r.get("values", {})]
    assert 1 <= max(epochs) < 150


def test_failures_are_recorded_with_their_reason_tried_again_and_do_not_end_the_campaign(campaign: Campaign) -> None:
    # the second learning rate makes the loss infinite
    found = campaign("grid", "broken", "optimizer=sgd", "optimizer.lr=0.01,1.0e+30", "trainer.max_epochs=3")
    assert found.tally()["finished"] == 1
    failed = [child for child in found.children if child.state == "failed"]
    assert [child.attempt for child in failed] == [0, 1]
    assert all("DivergedError" in child.reason for child in failed)
    assert all(child.settings["optimizer.lr"] == 1e30 for child in failed)


def test_data_that_cannot_be_had_are_said_once_before_the_first_run(campaign: Campaign) -> None:
    with pytest.raises(UserError, match=r"^data\.root: expected .*/nowhere"):
        campaign("grid", "none", "data=folder", "data.root=/nowhere", "model.hidden=[4],[8]")
    assert run_of("none").status() == "FAILED"
    assert members("none") == []


def test_a_campaign_none_of_whose_runs_comes_to_an_end_fails_with_the_reason(campaign: Campaign) -> None:
    with pytest.raises(UserError, match="none: no run came to an end: DivergedError"):
        campaign("grid", "none", "optimizer=sgd", "optimizer.lr=1.0e+30,2.0e+30")
    assert run_of("none").status() == "FAILED"


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_stopped_and_has_failed(campaign: Campaign) -> None:
    with pytest.raises(UserError, match=r"minutes_per_run=0\.03"):
        campaign("repeat", "slow", "seeds=1", "trainer.max_epochs=100000", "campaign.minutes_per_run=0.03")
    assert all(run.status() == "KILLED" for run in members("slow"))


def test_several_objectives_make_a_front(campaign: Campaign) -> None:
    space = "{model.hidden: {choices: [[4], [16], [64]]}}"
    small = ", ".join(f"{{metric: {name}, direction: minimize}}" for name in ("model.parameters", "latency_ms"))
    objectives = f"[{{metric: val/accuracy}}, {small}]"
    words = [f"study.space={space}", f"study.objectives={objectives}", "study.sampler=grid", "study.pruner=none"]
    found = campaign(
        "tune",
        "front",
        "study=digits",
        *words,
        "model=mlp",
        "data.fraction=0.2",
        "trainer.max_epochs=2",
        "tracking=off",
    )
    assert [len(child.values) for child in found.finished()] == [3, 3, 3]
    parameters = [child.values[1] for child in sorted(found.finished(), key=lambda child: child.proposal)]
    assert parameters == sorted(parameters)
    assert len(set(parameters)) == 3


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
def test_workers_share_the_processor(campaign: Campaign) -> None:
    from visionlab.tracking.member import Member

    campaign("repeat", "shared", "seeds=2", "campaign.workers=2")
    cores = len(os.sched_getaffinity(0))
    assert {Member.load(run).threads for run in members("shared")} == {max(1, cores // 2)}
