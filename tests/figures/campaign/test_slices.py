"""A panel for each setting that differs; the title says what the best runs have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tests.figures.campaign.made import LOSS, finished, make_results, make_search
from tests.figures.made import ODD_NAMES, read_table, read_title
from visionlab.figures.campaign import slices
from visionlab.figures.campaign.slices import save_slices


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn."""
    drawn: list[Figure] = []
    add = slices.add_legend

    def spy(figure: Figure) -> None:
        drawn.append(figure)
        add(figure)

    monkeypatch.setattr(slices, "add_legend", spy)
    return drawn


def test_panels_are_by_importance_and_say_how_many_runs_lack_the_setting(tmp_path: Path, figures: list[Figure]) -> None:
    results = make_search()
    picture, table = save_slices(results, tmp_path / "figures")
    labels = [axes.get_xlabel() for axes in figures[0].axes]
    muon = sum(child.settings["optimizer"] == "muon" for child in results.measured())
    lacking = f"momentum\n(not used by {muon} of {len(results.measured())} runs)"
    assert labels == ["lr", "width", "optimizer", lacking, "flip", "crop"]
    assert len(read_table(table)) == len(results.measured()) + 1
    best = sorted(results.measured(), key=lambda child: -child.values[0])[:6]
    rates = sorted(child.settings["optimizer.lr"] for child in best)
    assert read_title(picture) == f"The best 6 of 23 runs have lr {rates[0]:.4g} to {rates[-1]:.4g}"


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ("pqqqrr", "The best 2 of 6 runs have x p, q"),
        ([*range(24)], "The best 6 of 24 runs have x 0 to 5"),
        ([str(i) for i in range(24)], "The best 6 of 24 runs have x 0, 1, 2, 3 and 2 other values"),
        ([True, None], "The best of 2 runs has x true"),
    ],
)
def test_the_title_says_what_the_best_quarter_has(values: Sequence[object], title: str, tmp_path: Path) -> None:
    children = [finished(i, {"a.x": value}, i) for i, value in enumerate(values)]
    assert read_title(save_slices(make_results("tune", children, [LOSS]), tmp_path)[0]) == title


def test_a_setting_that_the_best_runs_lack_is_not_in_the_title(tmp_path: Path) -> None:
    children = [finished(i, {"a.x": i} if i else {}, i / 10) for i in range(4)]
    picture, _ = save_slices(make_results("tune", children, [LOSS]), tmp_path)
    assert read_title(picture) == "Validation loss of 4 runs by each setting"


def test_the_means_of_names_are_drawn(tmp_path: Path, figures: list[Figure]) -> None:
    children = [finished(i, {"a.x": "pq"[i % 2]}, i) for i in range(4)]
    save_slices(make_results("tune", children, [LOSS]), tmp_path)
    (axes,) = figures[0].axes
    means = [[*line.get_ydata()] for line in axes.get_lines() if line.get_label() == "mean"]
    assert means == [[1, 1], [2, 2]]


def test_settings_that_do_not_differ_have_no_panel(tmp_path: Path) -> None:
    assert save_slices(make_results("tune", [finished(i, {"a.x": 1}, 0.5) for i in (0, 1)]), tmp_path) == []
    assert save_slices(make_search(1), tmp_path) == []


def test_values_that_are_no_numbers_and_odd_names_do_no_harm(tmp_path: Path, figures: list[Figure]) -> None:
    children = [
        finished(i, dict.fromkeys(ODD_NAMES, name), math.nan if i == 1 else i / 10) for i, name in enumerate(ODD_NAMES)
    ]
    picture, table = save_slices(make_results("tune", children), tmp_path)
    assert len(figures[0].axes) == len(ODD_NAMES)
    assert [row[0] for row in read_table(table)[1:]] == ["0", "2", "3", "4", "5", "6", "7"]
    read_title(picture)
