"""The area is scikit-learn's average precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.figures.made import make_predictions, read_table, read_title
from visionlab.figures.precision_recall import precision_recall_curve, save_precision_recall


@pytest.mark.parametrize("digits", [7, 1])
def test_the_area_is_scikit_learns_also_where_scores_are_equal(digits: int) -> None:
    probabilities, labels = make_predictions(4, 3000, 1.0)
    for label in range(4):
        scores = probabilities[:, label].round(digits)
        expected = average_precision_score(labels == label, scores)
        assert precision_recall_curve("", scores, labels == label).area == pytest.approx(expected)


def test_the_table_has_every_class_and_the_title_the_mean_and_the_worst(tmp_path: Path) -> None:
    probabilities, labels = make_predictions(10, 1000, 1.5)
    labels[labels == 9] = 0
    names = [f"class {i}" for i in range(10)]
    picture, table = save_precision_recall(probabilities, labels, names, None, tmp_path)
    rows = read_table(table)[1:]
    expected = {
        name: average_precision_score(labels == label, probabilities[:, label])
        for label, name in enumerate(names)
        if label != 9
    }
    assert {row[0]: float(row[1]) for row in rows if row[1]} == pytest.approx(expected, abs=1e-6)
    assert [row for row in rows if not row[1]] == [["class 9", "", "", "", ""]]
    worst = min(expected, key=lambda name: expected[name])
    mean = np.mean([*expected.values()])
    assert read_title(picture) == f"Mean average precision {mean:.4f}, lowest for “{worst}”, {expected[worst]:.4f}"


def test_of_two_classes_only_the_positive_one_is_drawn(tmp_path: Path) -> None:
    probabilities, labels = make_predictions(2, 400, 1.0)
    picture, table = save_precision_recall(probabilities, labels, ["cat", "dog"], 0, tmp_path)
    assert {row[0] for row in read_table(table)[1:]} == {"cat"}
    area = average_precision_score(labels == 0, probabilities[:, 0])
    assert read_title(picture) == f"“cat” is found with an average precision of {area:.4f}"


def test_a_positive_class_without_test_images_has_no_curve(tmp_path: Path) -> None:
    probabilities, _ = make_predictions(2, 40, 1.0)
    picture, table = save_precision_recall(probabilities, np.zeros(40, int), ["cat", "dog"], 1, tmp_path)
    assert read_table(table)[1:] == [["dog", "", "", "", ""]]
    assert read_title(picture).startswith("No precision-recall curve")
