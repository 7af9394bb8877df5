"""The front is what no run betters; its line has its corners where both neighbours are at least as good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.cbook import STEP_LOOKUP_MAP
from matplotlib.figure import Figure

from tests.figures.campaign.made import ACCURACY, LATENCY, LOSS, PARAMETERS, finished, make_results, make_search
from tests.figures.made import read_table, read_title
from visionlab.config.search import Objective
from visionlab.figures.campaign import front
from visionlab.figures.campaign.front import save_front


def test_the_front_is_told_and_marked(tmp_path: Path) -> None:
    points = [(0.9, 9000.0), (0.8, 1000.0), (0.7, 2000.0), (0.85, 9000.0)]
    children = [finished(i, {"model.width": i}, *point) for i, point in enumerate(points)]
    picture, table = save_front(make_results("tune", children, [ACCURACY, PARAMETERS]), tmp_path / "figures")
    assert read_title(picture) == "2 of 4 runs trade validation accuracy (90.00 % to 80.00 %) for parameters"
    assert read_table(table) == [
        ["number", "val/accuracy", "model.parameters", "on_front", "model.width"],
        ["0", "0.9", "9000.0", "1", "0"],
        ["1", "0.8", "1000.0", "1", "1"],
        ["2", "0.7", "2000.0", "0", "2"],
        ["3", "0.85", "9000.0", "0", "3"],
    ]


@pytest.mark.parametrize("up", [ACCURACY, LOSS])
@pytest.mark.parametrize("across", [PARAMETERS, Objective(metric="val/f1")])
def test_the_corners_of_the_line_are_as_bad_as_the_worse_of_both_neighbours(
    up: Objective, across: Objective, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[Axes] = []
    add = front.add_legend

    def spy(figure: Figure) -> None:
        panels.extend(figure.axes)
        add(figure)

    monkeypatch.setattr(front, "add_legend", spy)
    random = np.random.default_rng(5)
    children = [finished(i, {}, *point) for i, point in enumerate(random.uniform(0.2, 0.8, (200, 2)).tolist())]
    results = make_results("tune", children, [up, across])
    save_front(results, tmp_path)
    (line,) = (line for line in panels[0].get_lines() if str(line.get_drawstyle()).startswith("steps"))
    x, y = STEP_LOOKUP_MAP[line.get_drawstyle()](*line.get_data())
    signs = [1 if objective.direction == "minimize" else -1 for objective in (across, up)]
    costs = np.column_stack([x, y]) * signs
    runs, corners = costs[::2], costs[1::2]
    assert len(runs) == len(results.front()) > 2
    assert (corners == np.maximum(runs[:-1], runs[1:])).all()


def test_three_objectives_have_three_panels_without_a_line(tmp_path: Path) -> None:
    results = make_search(40, [ACCURACY, PARAMETERS, LATENCY])
    picture, table = save_front(results, tmp_path)
    assert read_title(picture).endswith("for parameters and latency")
    on_front = [row[4] == "1" for row in read_table(table)[1:]]
    assert on_front == [child in results.front() for child in results.measured()]


def test_a_single_best_and_a_single_run_are_a_front(tmp_path: Path) -> None:
    children = [finished(0, {}, 0.9, 1000.0), finished(1, {}, 0.8, 2000.0)]
    for some in (children, children[:1]):
        picture, _ = save_front(make_results("tune", some, [ACCURACY, PARAMETERS]), tmp_path)
        assert read_title(picture) == "One run is best in every objective: validation accuracy 90.00 %"


def test_runs_with_a_value_that_is_no_number_are_left_out(tmp_path: Path) -> None:
    children = [finished(0, {}, float("nan"), 1.0), finished(1, {}, 0.8, 2000.0)]
    _, table = save_front(make_results("tune", children, [ACCURACY, PARAMETERS]), tmp_path)
    assert [row[0] for row in read_table(table)[1:]] == ["1"]


def test_one_objective_has_no_front(tmp_path: Path) -> None:
    assert save_front(make_search(), tmp_path) == []
    assert save_front(make_results("tune", [], [ACCURACY, PARAMETERS]), tmp_path) == []
