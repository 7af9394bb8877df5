"""The most important settings are named with their shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.figures.campaign.made import make_results
from tests.figures.made import ODD_NAMES, read_table, read_title
from visionlab.figures.campaign.importance import save_importance


@pytest.mark.parametrize(
    ("importance", "title"),
    [
        (
            {"optimizer.lr": 0.71, "model.width": 0.29},
            "Most of the variation in validation accuracy goes with lr: 71 %",
        ),
        (
            {"a.lr": 0.4, "b.lr": 0.35, "c": 0.25},
            "No one setting makes validation accuracy: a.lr 40 %, b.lr 35 % of the variation",
        ),
    ],
)
def test_the_title_says_whether_one_setting_stands_out(
    importance: dict[str, float], title: str, tmp_path: Path
) -> None:
    picture, table = save_importance(make_results(importance=importance), tmp_path / "figures")
    assert read_title(picture) == title
    assert read_table(table) == [
        ["setting", "importance"],
        *([path, f"{share:.6f}"] for path, share in importance.items()),
    ]


def test_what_is_not_known_or_is_of_one_setting_is_not_drawn(tmp_path: Path) -> None:
    assert save_importance(make_results(), tmp_path) == []
    assert save_importance(make_results(importance={"a.x": 1.0}), tmp_path) == []


def test_odd_names_and_many_of_them_are_drawn_and_all_are_in_the_table(tmp_path: Path) -> None:
    importance = dict.fromkeys([*ODD_NAMES, *(f"a.{i}" for i in range(40))], 1 / 48)
    picture, table = save_importance(make_results(importance=importance), tmp_path)
    assert [row[0] for row in read_table(table)[1:]] == [*importance]
    read_title(picture)


def test_settings_without_any_importance_are_drawn(tmp_path: Path) -> None:
    picture, _ = save_importance(make_results(importance={"a.x": 0.0, "a.y": 0.0}), tmp_path)
    assert read_title(picture).startswith("No one setting makes validation accuracy")
