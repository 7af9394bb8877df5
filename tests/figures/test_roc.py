"""The areas are scikit-learn's, the title says what they come to, and classes that are not there do no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.figures.made import make_predictions, read_table, read_title
from visionlab.figures.roc import HEADINGS, roc_curve, save_roc


@pytest.mark.parametrize("digits", [7, 1])
def test_the_area_is_scikit_learns_also_where_scores_are_equal(digits: int) -> None:
    probabilities, labels = make_predictions(4, 3000, 1.0)
    for label in range(4):
        scores = probabilities[:, label].round(digits)
        assert roc_curve("", scores, labels == label).area == pytest.approx(roc_auc_score(labels == label, scores))


def test_the_table_has_every_class_and_the_title_the_mean_and_the_worst(tmp_path: Path) -> None:
    probabilities, labels = make_predictions(10, 1000, 1.5)
    names = [f"class {i}" for i in range(10)]
    picture, table = save_roc(probabilities, labels, names, None, tmp_path / "figures")
    headings, *rows = read_table(table)
    assert headings == list(HEADINGS)
    areas = {row[0]: float(row[1]) for row in rows}
    expected = {name: roc_auc_score(labels == label, probabilities[:, label]) for label, name in enumerate(names)}
    assert areas == pytest.approx(expected, abs=1e-6)
    worst = min(expected, key=lambda name: expected[name])
    mean = np.mean([*expected.values()])
    assert read_title(picture) == f"Mean ROC AUC {mean:.4f}, lowest for “{worst}”, {expected[worst]:.4f}"


@pytest.mark.parametrize("positive", [0, 1])
def test_of_two_classes_only_the_positive_one_is_drawn(positive: int, tmp_path: Path) -> None:
    probabilities, labels = make_predictions(2, 400, 1.0)
    picture, table = save_roc(probabilities, labels, ["cat", "dog"], positive, tmp_path)
    name = ("cat", "dog")[positive]
    assert {row[0] for row in read_table(table)[1:]} == {name}
    area = roc_auc_score(labels == positive, probabilities[:, positive])
    assert read_title(picture) == f"“{name}” is told from the other class with a ROC AUC of {area:.4f}"


def test_a_class_without_test_images_has_no_curve_and_does_not_count(tmp_path: Path) -> None:
    probabilities, labels = make_predictions(3, 300, 1.0)
    labels[labels == 2] = 0
    picture, table = save_roc(probabilities, labels, ["cat", "dog", "eel"], None, tmp_path)
    rows = read_table(table)[1:]
    assert [row for row in rows if row[0] == "eel"] == [["eel", "", "", "", ""]]
    areas = [roc_auc_score(labels == label, probabilities[:, label]) for label in (0, 1)]
    assert f"Mean ROC AUC {np.mean(areas):.4f}" in read_title(picture)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_images_all_of_one_class_have_no_curve(classes: int, tmp_path: Path) -> None:
    probabilities = np.full((5, classes), 1 / classes, dtype=np.float32)
    names = ["cat", "dog", "eel"][:classes]
    picture, _ = save_roc(probabilities, np.zeros(5, int), names, 1 if classes == 2 else None, tmp_path)
    assert read_title(picture) == "No ROC curve: the test images are all of one class"
