"""Cells for pairs that were all tried, colours between numbers where there are enough, else marks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.figures.campaign.made import LOSS, PARAMETERS, finished, make_grid, make_results, make_search
from tests.figures.made import read_table, read_title
from visionlab.campaigns.results import Results
from visionlab.figures.campaign import contour
from visionlab.figures.campaign.contour import save_contour

Value = Callable[[int], Any]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ways in which values are drawn."""
    ways: list[str] = []
    for way in ("_cells", "_interpolated", "_marks"):
        draw = getattr(contour, way)

        def spy(*arguments: Any, way: str = way, draw: Callable[..., None] = draw) -> None:
            ways.append(way)
            draw(*arguments)

        monkeypatch.setattr(contour, way, spy)
    return ways


def pairs(x: Value, y: Value, runs: int) -> Results:
    """A search in which the runs have these values of two settings."""
    return make_results("tune", [finished(i, {"a.x": x(i), "a.y": y(i)}, 0.5 + i / 100) for i in range(runs)])


def test_of_a_grid_every_pair_is_a_cell(tmp_path: Path, drawn: list[str]) -> None:
    picture, table = save_contour(make_grid(), tmp_path / "figures")
    assert drawn == ["_cells"]
    assert read_title(picture) == "Validation accuracy is best, 93.20 %, at lr=0.01, width=64"
    headings, *rows = read_table(table)
    assert headings == ["number", "val/accuracy", "optimizer.lr", "model.width"]
    assert len(rows) == 9


def test_of_a_grid_of_three_settings_the_cells_are_means(tmp_path: Path, drawn: list[str]) -> None:
    points = itertools.product((1, 2), (1, 2), (0, 1))
    children = [finished(i, {"a": a, "b": b, "seed": seed}, a + b + seed) for i, (a, b, seed) in enumerate(points)]
    picture, _ = save_contour(make_results("grid", children, [LOSS]), tmp_path)
    assert drawn == ["_cells"]
    assert read_title(picture) == "Mean validation loss is best, 2.5000, at a=1, b=1"


def test_a_grid_under_way_has_blank_cells(tmp_path: Path, drawn: list[str]) -> None:
    whole = make_grid()
    save_contour(make_results("grid", whole.children[:5], total=9), tmp_path)
    assert drawn == ["_cells"]


def test_between_many_numbers_colours_are_interpolated(tmp_path: Path, drawn: list[str]) -> None:
    picture, _ = save_contour(make_search(60), tmp_path)
    assert drawn == ["_interpolated", "_marks"]
    assert "at lr=" in read_title(picture)


@pytest.mark.parametrize(
    "results",
    [
        pairs(lambda i: i / 10, lambda i: i**2 / 10, 11),  # too few
        pairs(lambda i: i / 10, lambda i: i / 5, 30),  # all on a line
        pairs(lambda i: i / 10, lambda i: i % 3 / 10, 11),
        pairs(lambda i: i / 10, lambda i: "ab"[i % 2], 30),  # names
        pairs(lambda i: i / 10, lambda i: (None, (0.35, 1.0), True)[i % 3], 30),
    ],
)
def test_few_points_lines_and_names_have_marks(results: Results, tmp_path: Path, drawn: list[str]) -> None:
    save_contour(results, tmp_path)
    assert drawn == ["_marks"]


def test_pairs_of_names_are_cells_though_some_are_missing(tmp_path: Path, drawn: list[str]) -> None:
    picture, _ = save_contour(pairs(lambda i: "abc"[i % 3], lambda i: (None, True)[i % 2], 5), tmp_path)
    assert drawn == ["_cells"]
    assert read_title(picture) == "Validation accuracy is best, 54.00 %, at x=b, y=null"


def test_equal_values_are_drawn(tmp_path: Path, drawn: list[str]) -> None:
    random = np.random.default_rng(0)
    points = random.uniform(size=(20, 2)).tolist()
    children = [finished(i, {"a": x, "b": y}, 0.5) for i, (x, y) in enumerate(points)]
    save_contour(make_results("tune", children), tmp_path)
    assert drawn == ["_marks"]


def test_values_of_very_different_size_are_drawn_by_magnitude(tmp_path: Path, drawn: list[str]) -> None:
    points = np.random.default_rng(0).uniform(size=(20, 2)).tolist()
    children = [finished(i, {"a": x, "b": y}, 1000 * 10 ** (3 * x)) for i, (x, y) in enumerate(points)]
    picture, _ = save_contour(make_results("tune", children, [PARAMETERS]), tmp_path)
    assert drawn == ["_interpolated", "_marks"]
    read_title(picture)


def test_runs_that_lack_one_of_the_settings_are_left_out(tmp_path: Path) -> None:
    children = [finished(i, {"a": i, "b": i * i % 5} if i else {"a": 9}, i / 10) for i in range(4)]
    assert save_contour(make_results("tune", children), tmp_path) == []
    assert save_contour(make_results("tune", [*children, finished(4, {"a": 7, "b": 7}, 0.1)]), tmp_path) != []


def test_one_setting_makes_no_plane(tmp_path: Path) -> None:
    assert save_contour(make_results("tune", [finished(i, {"a": i}, 0.5) for i in range(9)]), tmp_path) == []
