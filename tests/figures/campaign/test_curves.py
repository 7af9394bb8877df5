"""The curves are those of the runs, up to where each was ended."""

from __future__ import annotations

import math
from pathlib import Path

from tests.figures.campaign.made import finished, make_grid, make_repeats, make_results, make_search
from tests.figures.made import read_table, read_title
from visionlab.campaigns.results import Child
from visionlab.figures.campaign.curves import save_curves


def test_best_and_pruned_are_told_and_all_points_are_in_the_table(tmp_path: Path) -> None:
    children = [
        finished(0, {}, 0.8, curve=((1, 0.5), (2, 0.8))),
        finished(1, {}, 0.9, curve=((1, 0.4), (2, 0.9))),
        Child(2, "pruned", {}, curve=((1, 0.1),)),
        Child(3, "pruned", {}, curve=((1, 0.1), (2, math.nan), (3, 0.2))),
        Child(4, "failed", {}, curve=((1, math.nan),)),
        Child(5, "running", {}, curve=((1, 0.3),)),
    ]
    picture, table = save_curves(make_results("tune", children), tmp_path / "figures")
    assert read_title(picture) == "Best: run 001, validation accuracy 90.00 %; 2 of 5 pruned, half of these by epoch 2"
    assert read_table(table) == [
        ["number", "state", "epoch", "value"],
        ["0", "finished", "1", "0.5"],
        ["0", "finished", "2", "0.8"],
        ["1", "finished", "1", "0.4"],
        ["1", "finished", "2", "0.9"],
        ["2", "pruned", "1", "0.1"],
        ["3", "pruned", "1", "0.1"],
        ["3", "pruned", "2", "nan"],
        ["3", "pruned", "3", "0.2"],
        ["5", "running", "1", "0.3"],
    ]


def test_a_single_pruned_run_has_its_epoch(tmp_path: Path) -> None:
    children = [finished(0, {}, 0.8, curve=((1, 0.5),)), Child(1, "pruned", {}, curve=((1, 0.1), (2, 0.2)))]
    picture, _ = save_curves(make_results("tune", children), tmp_path)
    assert read_title(picture) == "Best: run 000, validation accuracy 80.00 %; 1 of 2 pruned, at epoch 2"


def test_of_seeds_none_is_called_best(tmp_path: Path) -> None:
    picture, _ = save_curves(make_repeats([0.9, 0.92, 0.94]), tmp_path)
    assert read_title(picture) == "The best epochs of 3 runs reach 90.00 % to 94.00 %"


def test_before_the_first_result_there_are_curves(tmp_path: Path) -> None:
    picture, _ = save_curves(make_results("tune", [Child(0, "running", {}, curve=((1, 0.3), (2, 0.4)))]), tmp_path)
    assert read_title(picture) == "Validation accuracy: no run has finished yet"


def test_runs_that_were_not_followed_have_none(tmp_path: Path) -> None:
    assert save_curves(make_grid(), tmp_path) == []


def test_two_hundred_runs_are_drawn(tmp_path: Path) -> None:
    results = make_search(200)
    _, table = save_curves(results, tmp_path)
    assert len(read_table(table)) == 1 + sum(len(child.curve) for child in results.children)
