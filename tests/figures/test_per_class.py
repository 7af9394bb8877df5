"""Bars for every class, the worst named; classes without test images say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.figures.made import count, make_predictions, rates, read_table, read_title
from visionlab.figures.per_class import save_per_class

RATES = {"precision": [0.5, 0.9, 0.0], "recall": [0.6, 0.8, 0.0], "f1": [0.55, 0.85, 0.0], "roc_auc": [0.7, 0.8, None]}


def test_the_title_names_the_hardest_class_that_has_images(tmp_path: Path) -> None:
    picture, table = save_per_class(RATES, [10, 20, 0], ["cat", "dog", "eel"], tmp_path / "figures")
    assert read_title(picture) == "Hardest class: “cat”, F1 55.0 %; easiest: “dog”, 85.0 %"
    assert read_table(table) == [
        ["class", "images", "precision", "recall", "f1", "roc_auc"],
        ["cat", "10", "0.5", "0.6", "0.55", "0.7"],
        ["dog", "20", "0.9", "0.8", "0.85", "0.8"],
        ["eel", "0", "0.0", "0.0", "0.0", ""],
    ]


def test_without_test_images_there_is_no_hardest_class(tmp_path: Path) -> None:
    picture, _ = save_per_class(RATES, [0, 0, 0], ["cat", "dog", "eel"], tmp_path)
    assert read_title(picture) == "No class has test images"


@pytest.mark.parametrize("classes", [1, 2, 100])
def test_few_and_many_classes_have_their_rows(classes: int, tmp_path: Path) -> None:
    probabilities, labels = make_predictions(classes, 50 * classes, 2.0)
    confusion = count(probabilities, labels)
    names = [f"class {i}" for i in range(classes)]
    picture, table = save_per_class(rates(confusion), confusion.sum(axis=1).tolist(), names, tmp_path)
    assert len(read_table(table)) == classes + 1
    assert read_title(picture).startswith("All classes alike: F1 100.0 %" if classes == 1 else "Hardest class: ")
