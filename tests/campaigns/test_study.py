"""The state of a campaign in its database: what is handed out, tried again, given up, pruned; no run is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab.campaigns import study as studies
from visionlab.campaigns.results import Child
from visionlab.campaigns.study import Study
from visionlab.config.search import Objective, Parameter
from visionlab.errors import UserError

SPACE = {"optimizer.lr": Parameter(float=(0.001, 0.1), log=True), "model.width": Parameter(choices=(8, 16))}
POINTS = tuple({"optimizer.lr": lr, "model.width": 8} for lr in (0.01, 0.02, 0.03))


def open_study(folder: Path) -> Study:
    return Study("some", None, folder, (Objective(),), "here")


def queued(folder: Path) -> Study:
    study = open_study(folder)
    study.queue(SPACE, POINTS)
    return study


def searching(folder: Path, total: int = 5) -> Study:
    study = open_study(folder)
    study.search(SPACE, total, seed=0)
    return study


def claim(study: Study) -> Child:
    child = study.claim()
    assert child is not None
    return child


def die_while_claiming(study: Study, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a trial behind as a process does that is killed at that moment."""

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(studies.optuna.Trial if moment == "set_user_attr" else Study, moment, die)
        with pytest.raises(KeyboardInterrupt):
            study.claim()


def finish_all(study: Study) -> list[Child]:
    """Carry out what is left, one after the other, by a made-up result."""
    done = []
    while (child := study.claim()) is not None:
        study.finish(child.number, [child.settings["optimizer.lr"]])
        done.append(child)
    return done


def test_every_proposal_is_handed_out_once(tmp_path: Path) -> None:
    study = queued(tmp_path)
    assert [child.settings for child in finish_all(study)] == list(POINTS)
    assert study.claim() is None
    assert study.is_done()
    best = study.results("grid").best
    assert best is not None
    assert best.settings == POINTS[2]
    again = queued(tmp_path)
    assert again.claim() is None
    assert len(again.results("grid").children) == 3


def test_more_of_the_same_is_added_to_what_was_done(tmp_path: Path) -> None:
    finish_all(queued(tmp_path))
    study = open_study(tmp_path)
    study.queue(SPACE, (*POINTS, {"optimizer.lr": 0.04, "model.width": 16}))
    assert [child.settings["optimizer.lr"] for child in finish_all(study)] == [0.04]


def test_a_search_proposes_as_many_as_wanted_and_no_more(tmp_path: Path) -> None:
    finish_all(searching(tmp_path))
    assert len(searching(tmp_path).results("tune").finished()) == 5
    assert searching(tmp_path).claim() is None
    assert len(finish_all(searching(tmp_path, total=7))) == 2


def test_a_search_that_goes_on_draws_nothing_twice(tmp_path: Path) -> None:
    first = finish_all(searching(tmp_path, total=4))
    second = finish_all(searching(tmp_path, total=8))
    drawn = [child.settings["optimizer.lr"] for child in (*first, *second)]
    assert len(set(drawn)) == 8


def test_a_failed_configuration_is_tried_once_more_and_then_left(tmp_path: Path) -> None:
    study = queued(tmp_path)
    first = claim(study)
    study.fail(first.number, "it broke")
    others = [claim(study) for _ in range(2)]
    again = claim(study)
    assert (again.settings, again.attempt, again.proposal) == (first.settings, 1, first.proposal)
    study.fail(again.number, "it broke again")
    for child in others:
        study.finish(child.number, [0.5])
    assert study.claim() is None
    assert study.is_done()
    results = study.results("grid")
    assert [child.reason for child in results.children if child.state == "failed"] == ["it broke", "it broke again"]
    assert results.tally()["finished"] == 2


def test_a_failure_that_was_made_good_counts_no_more(tmp_path: Path) -> None:
    study = queued(tmp_path)
    study.fail(claim(study).number, "it broke")
    finish_all(study)
    assert study.results("grid").tally()["failed"] == 0
    assert study.results("grid").tally()["finished"] == 3


def test_an_interruption_is_no_fault_and_costs_no_try(tmp_path: Path) -> None:
    study = queued(tmp_path)
    proposal = claim(study).proposal
    for _ in range(4):
        study.interrupt(next(child.number for child in study.left_behind()))
        study = queued(tmp_path)
        while (child := claim(study)).proposal != proposal:
            study.finish(child.number, [0.1])
        assert child.attempt == 0


@pytest.mark.parametrize("moment", ["set_user_attr", "_suggest"])
def test_a_process_that_dies_while_it_takes_a_trial_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    study = searching(tmp_path)

    die_while_claiming(study, moment, monkeypatch)
    later = searching(tmp_path)
    for child in later.left_behind():
        later.interrupt(child.number)
    finish_all(later)
    assert later.is_done()
    finished = later.results("tune").finished()
    assert sorted(child.proposal for child in finished) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("moment", ["set_user_attr", "_suggest"])
def test_what_was_queued_is_tried_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    study = queued(tmp_path)

    die_while_claiming(study, moment, monkeypatch)
    later = queued(tmp_path)
    for child in later.left_behind():
        later.interrupt(child.number)
    finish_all(later)
    found = sorted(later.results("grid").finished(), key=lambda child: child.proposal)
    assert [child.settings for child in found] == list(POINTS)


def test_fewer_are_wanted_and_then_more_again(tmp_path: Path) -> None:
    """What is beyond the total is neither carried out nor tried again for ever, and is not lost either."""
    study = queued(tmp_path)
    study.finish(claim(study).number, [0.1])
    study.interrupt(claim(study).number)
    fewer = open_study(tmp_path)
    fewer.queue(SPACE, POINTS[:1])
    assert fewer.claim() is None
    assert fewer.is_done()
    assert finish_all(queued(tmp_path)) != []
    finished = queued(tmp_path).results("grid").finished()
    assert sorted(child.proposal for child in finished) == [0, 1, 2]


def test_a_search_for_fewer_and_then_more_again(tmp_path: Path) -> None:
    study = searching(tmp_path, total=3)
    study.finish(claim(study).number, [0.1])
    study.interrupt(claim(study).number)
    assert searching(tmp_path, total=1).claim() is None
    assert searching(tmp_path, total=1).is_done()
    assert len(finish_all(searching(tmp_path, total=4))) == 3
    assert searching(tmp_path, total=4).is_done()


def test_two_processes_on_one_study_share_its_total(tmp_path: Path) -> None:
    one, other = searching(tmp_path), searching(tmp_path)
    mine = [claim(one), claim(one), claim(one)]
    theirs = [claim(other), claim(other)]
    assert one.claim() is None
    assert other.claim() is None
    assert not one.is_done()
    for study, children in ((one, mine), (other, theirs)):
        for child in children:
            study.finish(child.number, [0.5])
    assert one.is_done()
    assert len({child.number for child in (*mine, *theirs)}) == 5


def test_what_is_beyond_the_total_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = searching(tmp_path, 1), searching(tmp_path, 1)
    before = one._study.ask

    def ask_together() -> object:
        with monkeypatch.context() as patch:  # the other process asks at the same moment
            patch.setattr(one._study, "ask", before)
            first = other.claim()
            assert first is not None
            other.finish(first.number, [0.5])
        return before()

    monkeypatch.setattr(one._study, "ask", ask_together)
    assert one.claim() is None
    assert len(one.results("tune").children) == 1


def test_a_run_that_another_machine_has_given_up_is_ended_and_its_result_is_dropped(tmp_path: Path) -> None:
    mine, other = queued(tmp_path), queued(tmp_path)
    child = claim(mine)
    other.interrupt(child.number)
    assert mine.report(child.number, 1, 0.5)
    mine.prune(child.number)
    mine.fail(child.number, "it broke")
    assert [one.state for one in other.results("grid").children if one.number == child.number] == ["interrupted"]
    assert [again.settings for again in finish_all(other)].count(child.settings) == 1


def test_the_median_pruner_ends_what_is_worse_than_the_median(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.queue(SPACE, tuple({"optimizer.lr": 0.001 * (n + 1), "model.width": 8} for n in range(6)))
    study.judge_by("median", epochs=3)
    for value in (0.5, 0.6, 0.7, 0.8):
        child = claim(study)
        assert not any(study.report(child.number, epoch, value) for epoch in (1, 2, 3))
        study.finish(child.number, [value])
    bad, good = claim(study), claim(study)
    assert study.report(bad.number, 1, 0.1)
    study.prune(bad.number)
    assert not study.report(good.number, 1, 0.9)
    study.finish(good.number, [0.9])
    results = study.results("tune")
    assert (results.tally()["pruned"], results.tally()["finished"]) == (1, 5)
    assert results.children[bad.number].curve == ((1, 0.1),)


def test_what_a_campaign_is_about_is_remembered(tmp_path: Path) -> None:
    assert Study.definition("some", None, tmp_path) is None
    open_study(tmp_path).define({"kind": "grid"})
    assert Study.definition("some", None, tmp_path) == {"kind": "grid"}


def test_choices_of_every_kind_come_back_as_they_were(tmp_path: Path) -> None:
    choices = ((16,), (16, 16), None, True, 2, 0.5, "a")
    study = open_study(tmp_path)
    study.queue({"x": Parameter(choices=choices)}, tuple({"x": choice} for choice in choices))
    found = [claim(study).settings["x"] for _ in choices]
    assert found == list(choices)
    assert [type(one) for one in found] == [type(one) for one in choices]


def test_a_database_that_cannot_be_had_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"study\.storage: expected a database that can be opened, .*refused"):
        Study("some", "postgresql://nobody@127.0.0.1:9/none", tmp_path, (Objective(),), "here")
    with pytest.raises(UserError, match=r"study\.storage"):
        Study("some", "nonsense", tmp_path, (Objective(),), "here")
