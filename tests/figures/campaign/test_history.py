"""The table has every run and the best up to it; the title names the best."""

from __future__ import annotations

import math
from pathlib import Path

from tests.figures.campaign.made import LOSS, finished, make_results, make_search
from tests.figures.made import read_table, read_title
from visionlab.campaigns.results import Child
from visionlab.figures.campaign.history import HEADINGS, save_history


def test_the_best_so_far_is_told_from_the_first_result_on(tmp_path: Path) -> None:
    children = [
        Child(0, "failed", {}, proposal=0),
        finished(1, {}, 0.7),
        Child(2, "pruned", {}, proposal=2, curve=((1, 0.2), (2, 0.3), (3, math.nan))),
        finished(3, {}, 0.912),
        finished(4, {}, 0.8),
        finished(5, {}, 0.912),
        Child(6, "running", {}, proposal=6),
    ]
    picture, table = save_history(make_results("tune", children, total=9), tmp_path / "figures")
    assert read_title(picture) == "Best validation accuracy: 91.20 %, by run 003; the 2 after it were no better"
    assert read_table(table) == [
        [*HEADINGS],
        ["0", "failed", "", "", "", ""],
        ["1", "finished", "0.7", "0.7", "", ""],
        ["2", "pruned", "", "0.7", "2", "0.3"],
        ["3", "finished", "0.912", "0.912", "", ""],
        ["4", "finished", "0.8", "0.912", "", ""],
        ["5", "finished", "0.912", "0.912", "", ""],
        ["6", "running", "", "0.912", "", ""],
    ]


def test_of_a_loss_the_lowest_is_best_and_what_is_no_number_is_none(tmp_path: Path) -> None:
    children = [finished(0, {}, 0.5), finished(1, {}, math.nan), finished(2, {}, 1e5), finished(3, {}, 0.25)]
    picture, table = save_history(make_results("tune", children, [LOSS]), tmp_path)
    assert read_title(picture) == "Best validation loss: 0.2500, by run 003"
    assert [row[3] for row in read_table(table)[1:]] == ["0.5", "0.5", "0.5", "0.25"]


def test_without_a_result_there_is_no_history(tmp_path: Path) -> None:
    children = [Child(0, "failed", {}), finished(1, {}, math.nan)]
    assert save_history(make_results("tune", children), tmp_path) == []
    assert [*tmp_path.iterdir()] == []


def test_one_run_and_two_hundred_have_a_history(tmp_path: Path) -> None:
    for runs in (1, 200):
        _, table = save_history(make_search(runs), tmp_path)
        assert len(read_table(table)) == runs + 1
