"""The sentences say what the numbers do, for every kind of campaign and however far it has come."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.figures.campaign.made import (
    ACCURACY,
    LATENCY,
    LOSS,
    PARAMETERS,
    finished,
    make_grid,
    make_repeats,
    make_results,
    make_search,
)
from visionlab.campaigns.findings import findings
from visionlab.campaigns.results import Child, Results


def read(results: Results) -> list[str]:
    return [sentence.replace("\N{NO-BREAK SPACE}", " ") for sentence in findings(results)]


def test_of_a_search_progress_best_importance_and_what_choosing_costs_are_told() -> None:
    results = make_search(30)
    best = results.best
    assert best is not None
    progress, top, importance, caveat = read(results)
    assert progress == "23 of 30 configurations have finished, 4 were pruned early and 3 failed."
    assert top.startswith(f"The best is run {best.number:03} with validation accuracy {100 * best.values[0]:.2f} %: ")
    assert f"lr={best.settings['optimizer.lr']:.4g}, width={best.settings['model.width']}" in top
    middle = sorted(child.values[0] for child in results.finished())[11]
    assert top.endswith(f"; half of the 23 reach {100 * middle:.2f} % or more.")
    shares = "lr 71 %, width 20 % and 2 others less than 10 % each"
    assert importance == f"Shares of the variation in validation accuracy, by fANOVA: {shares}."
    assert caveat == "As the best of 23 by validation it is likely to do somewhat less well on other images."


def test_importance_from_few_runs_is_called_a_guess() -> None:
    results = make_search(10)
    assert 0 < len(results.finished()) < 10
    assert any(sentence.endswith(f", a rough guess from {len(results.finished())} runs.") for sentence in read(results))


def test_settings_of_which_none_stands_out_are_not_named() -> None:
    results = dataclasses.replace(make_search(30), importance={f"a.{i}": 0.05 for i in range(20)})
    assert "No setting accounts for as much as 10 % of the variation in validation accuracy (fANOVA)." in read(results)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.0995, "lr=0.0995 of the best is at the upper end of what was searched, 0.001 to 0.1; "),
        (0.00105, "lr=0.00105 of the best is at the lower end of what was searched, 0.001 to 0.1; "),
        (0.06, None),
        (0.003, None),  # near the lower end, had it not been searched by orders of magnitude
    ],
)
def test_a_best_value_at_the_end_of_its_range_is_told(rate: float, said: str | None) -> None:
    children = [finished(0, {"optimizer.lr": 0.01}, 0.8), finished(1, {"optimizer.lr": rate}, 0.9)]
    bounds = {"optimizer.lr": (0.001, 0.1)}
    results = make_results("tune", children, importance={"optimizer.lr": 1.0}, log=("optimizer.lr",), bounds=bounds)
    told = [sentence for sentence in read(results) if "end of what was searched" in sentence]
    assert len(told) == (said is not None)
    assert said is None or told[0].startswith(said)


def test_a_setting_that_does_not_matter_may_be_at_its_end() -> None:
    children = [finished(i, {"a.x": i, "a.y": 1 - i}, 0.5 + i / 10) for i in (0, 1)]
    results = make_results("tune", children, importance={"a.x": 0.95, "a.y": 0.05}, bounds={"a.y": (0.0, 1.0)})
    assert not any("end of what was searched" in sentence for sentence in read(results))


def test_of_a_loss_less_is_better() -> None:
    children = [finished(i, {"a.x": i}, 0.5 - i / 10) for i in range(5)]
    assert "The best is run 004 with validation loss 0.1000: x=4; half of the 5 reach 0.3000 or less." in read(
        make_results("tune", children, [LOSS])
    )


def test_of_a_grid_the_means_over_the_other_settings_are_told() -> None:
    assert read(make_grid()) == [
        "All 9 points have finished.",
        "The best is run 005 with validation accuracy 93.20 %: lr=0.01, width=64; half of the 9 reach 83.20 % or more.",
        "Mean validation accuracy by lr (80 % of the variation): 81.87 % at 0.001, 91.87 % at 0.01 and 81.87 % at 0.1.",
        "Mean validation accuracy by width (20 % of the variation): 84.13 % at 16, 84.93 % at 32 and 86.53 % at 64.",
        "width=64 of the best is at the upper end of what was searched, 16 to 64; what lies beyond was not tried.",
        "Every point is a single run, so differences as small as those between seeds mean nothing.",
    ]


def test_of_a_grid_only_the_very_ends_are_ends() -> None:
    rates = (0.0001, 0.001, 0.01, 0.1, 1.0)  # 0.01 is near the lower end of a range
    assert not any("end of what was searched" in sentence for sentence in read(make_grid(rates, (16, 32))))


def test_of_two_values_none_is_at_an_end() -> None:
    assert any("end of what was searched" in sentence for sentence in read(make_grid((0.01, 0.1, 1.0), (16, 32))))
    assert not any("end of what was searched" in sentence for sentence in read(make_grid((0.01, 0.1), (16, 32))))


def test_of_many_settings_the_most_important_are_named() -> None:
    children = [finished(0, {f"a.s{i}": i for i in range(9)}, 0.9)]
    results = make_results("tune", children, importance={"a.s8": 0.6, "a.s3": 0.4})
    assert ": s8=8, s3=3, s0=0, s1=1, s2=2, s4=4 and 3 more." in read(results)[1]


def test_what_is_not_judged_by_validation_is_not_said_to_do_less_well_elsewhere() -> None:
    children = [finished(i, {"a.x": i}, i) for i in range(3)]
    assert not any("other images" in sentence for sentence in read(make_results("tune", children, [LATENCY])))


def test_of_a_grid_under_way_the_means_are_of_what_there_is() -> None:
    whole = make_grid()
    waiting = [Child(child.number, "waiting", child.settings, proposal=child.proposal) for child in whole.children[6:]]
    told = read(dataclasses.replace(whole, children=(*whole.children[:6], *waiting)))
    assert told[0] == "6 of 9 points have finished and 3 are still to come."
    assert told[2] == (
        "Mean validation accuracy by lr (80 % of the variation, of the points that have finished): "
        "81.87 % at 0.001 and 91.87 % at 0.01."
    )


def test_of_many_values_the_means_at_the_ends_are_told() -> None:
    children = [finished(i, {"a.x": i}, abs(i - 4) / 10) for i in range(10)]
    told = read(make_results("grid", children, importance={"a.x": 1.0}))
    assert "Validation accuracy by x: lowest and highest: 0.00 % at 4 and 50.00 % at 9." in told


def test_a_grid_over_seeds_is_no_single_run() -> None:
    children = [finished(i, {"seed": i % 2, "a.x": i // 2}, i / 10) for i in range(4)]
    assert not any("single run" in sentence for sentence in read(make_results("grid", children)))


def test_of_folds_mean_interval_and_ends_are_told_with_what_is_doubtful_about_them() -> None:
    assert read(make_repeats([0.9, 0.92, 0.94], "crossval")) == [
        "All 3 folds have finished.",
        "Mean ± standard deviation of validation accuracy over 3 folds: 92.00 ± 2.00 %, "
        "with a 95 % interval of the mean of 87.03 to 96.97 %.",
        "The lowest is 90.00 % (fold=0), the highest 94.00 % (fold=2).",
        "Folds share training images, so the interval is somewhat too narrow.",
        "Each run reports its best epoch, chosen on the very images that judge it, so the mean is somewhat too good.",
    ]


def test_of_seeds_nothing_is_said_about_folds() -> None:
    told = read(make_repeats([0.9, 0.92, 0.94]))
    assert told[1].startswith("Mean ± standard deviation of validation accuracy over 3 seeds: 92.00 ± 2.00 %")
    assert "Only the seed differs, so the interval leaves out what other images or another split would change." in told
    assert "fold" not in " ".join(told)


def test_one_seed_has_no_interval() -> None:
    assert read(make_repeats([0.9], total=3)) == [
        "1 of 3 seeds have finished and 2 are still to come.",
        "The one seed has validation accuracy 90.00 %; how far others are from it is not known.",
    ]


def test_of_several_objectives_the_front_and_its_ends_are_told() -> None:
    points = [(0.9, 9000, 3.0), (0.8, 1000, 2.0), (0.7, 2000, 4.0)]  # the last is worse than the second in all
    children = [finished(i, {"model.width": i}, *point) for i, point in enumerate(points)]
    assert read(make_results("tune", children, [ACCURACY, PARAMETERS, LATENCY]))[1:] == [
        "2 of 3 runs are on the Pareto front: no run betters one of them in validation accuracy, parameters or latency "
        "without being worse in another.",
        "Highest validation accuracy: run 000 with validation accuracy 90.00 %, parameters 9,000 and latency 3 ms.",
        "Lowest parameters: run 001 with validation accuracy 80.00 %, parameters 1,000 and latency 2 ms.",
        "Lowest latency: run 001 with validation accuracy 80.00 %, parameters 1,000 and latency 2 ms.",
    ]


def test_a_run_that_is_best_in_everything_is_named() -> None:
    children = [finished(0, {}, 0.9, 1000), finished(1, {}, 0.8, 2000)]
    told = read(make_results("tune", children, [ACCURACY, PARAMETERS]))
    assert told[1] == "Run 000 is the best in every objective: validation accuracy 90.00 % and parameters 1,000."


@pytest.mark.parametrize("kind", ["tune", "grid", "crossval", "repeat"])
def test_without_a_result_nothing_is_claimed(kind: str) -> None:
    things = {"tune": "configurations", "grid": "points", "crossval": "folds", "repeat": "seeds"}[kind]
    failed = [Child(i, "failed", {"seed": 0}, attempt=i, proposal=0, reason="no") for i in (0, 1)]
    assert read(make_results(kind, failed, total=3)) == [
        f"0 of 3 {things} have finished, 1 failed and 2 are still to come.",
        "Nothing can be said of validation accuracy yet.",
    ]


def test_values_that_are_no_numbers_are_left_out_and_said_to_be() -> None:
    children = [finished(0, {"seed": 0}, math.nan), finished(1, {"seed": 1}, 0.9), finished(2, {"seed": 2}, 0.8)]
    told = read(make_results("repeat", children))
    assert told[1] == "1 of the finished is left out, without a finite number for validation accuracy."
    assert "85.00 ± 7.07 %" in told[2]
    assert read(make_results("repeat", children[:1]))[-1] == "Nothing can be said of validation accuracy yet."


def test_a_configuration_that_was_tried_again_counts_once() -> None:
    children = [
        Child(0, "failed", {}, proposal=0),
        Child(1, "finished", {}, (0.9,), proposal=0, attempt=1),
        Child(2, "failed", {}, proposal=1),
        Child(3, "failed", {}, proposal=1, attempt=1),
        Child(4, "interrupted", {}, proposal=2),
        Child(5, "running", {}, proposal=2),
        Child(6, "failed", {}, proposal=0, attempt=1),
    ]
    assert make_results("tune", children).tally() == {"finished": 1, "failed": 1, "running": 1}


def test_settings_that_end_alike_are_told_apart() -> None:
    settings = {"model.name": "cnn", "optimizer.name": "sgd", "a.b.lr": 0, "a.c.lr": 0}
    children = [finished(i, settings, 0.5) for i in (0, 1)]
    assert "model.name=cnn, optimizer.name=sgd, b.lr=0, c.lr=0" in read(make_results("tune", children))[1]
