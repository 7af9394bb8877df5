"""The picture of a comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionlab.comparison.curves import Course, Curve
from visionlab.comparison.mcnemar import Changes
from visionlab.figures.comparison import save_comparison, spread


def course(runs: int) -> Course:
    curve = Curve([1, 2, 3], [0.1, 0.5, 0.6])
    return Course("validation", "epoch", {"accuracy": [curve] * runs, "loss": [curve] * runs})


def change(classes: int) -> Changes:
    shares = np.eye(classes)
    p = np.ones((classes, classes))
    p[0, 0] = 0.01
    return Changes(shares, np.roll(shares, 1, axis=0), p)


@pytest.mark.parametrize(("runs", "classes"), [(2, 2), (2, 10), (4, 10), (8, 3), (3, 120)])
def test_any_number_of_runs_and_classes_fits(runs: int, classes: int, tmp_path: Path) -> None:
    names = [f"{letter} run of $5 and a name that goes on and on and on" for letter in "ABCDEFGH"[:runs]]
    labels = [f"class_{number} with a long name" for number in range(classes)]
    changes = [(f"{name[0]} minus A", change(classes)) for name in names[1:]]
    file = save_comparison("B is better", names, course(runs), labels, changes, tmp_path / "new" / "picture.png")
    with Image.open(file) as picture:
        assert picture.info["Title"] == "B is better"
        assert 1000 < picture.width < 4000
        assert picture.height < 2500
    assert [path.name for path in file.parent.iterdir()] == ["picture.png"]


def test_curves_alone_where_nothing_was_tested_and_runs_without_points(tmp_path: Path) -> None:
    curves = [Curve([], []), Curve([1], [0.5]), Curve([1, 2], [0.5, float("nan")])]
    given = Course("training", "step", {"accuracy": curves, "loss": curves})
    assert save_comparison("title", ["A a", "B b", "C c"], given, [], [], tmp_path / "picture.png").exists()


@pytest.mark.parametrize(
    "heights", [[], [0.5], [0.5, 0.5], [0.9, 0.1], [0.5] * 8, [0.5, 0.51, 0.52, 0.9, 0.89], [1, 0.99, 0.98]]
)
def test_labels_are_moved_apart_in_their_order(heights: list[float]) -> None:
    placed = spread(heights, 0.065)
    assert np.argsort(placed, kind="stable").tolist() == np.argsort(heights, kind="stable").tolist()
    assert (np.diff(sorted(placed)) > 0.06).all()
    assert all(0 <= height <= 1 for height in placed)


def test_labels_that_are_far_enough_apart_stay() -> None:
    assert spread([0.1, 0.9, 0.5], 0.065) == [0.1, 0.9, 0.5]
