"""The confusion matrix as files: the CSV holds the counts, the picture is one, up to many classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.figures.made import ODD_NAMES, read_table, read_title
from visionlab.figures.confusion import draw_from_table, save_confusion, worst_confusion


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_csv_holds_the_counts_and_the_picture_has_ink(classes: int, tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 50, (classes, classes)).tolist()
    names = [f"class {i}" for i in range(classes)]
    picture, table = save_confusion(counts, names, tmp_path / "figures")
    rows = read_table(table)
    assert rows[0][1:] == names
    assert [row[0] for row in rows[1:]] == names
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == counts
    assert read_title(picture).startswith("Confused most: ")
    assert sorted(file.name for file in picture.parent.iterdir()) == ["confusion_matrix.csv", "confusion_matrix.png"]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written into the pictures that are drawn."""
    from matplotlib.figure import Figure

    found: list[str] = []
    save = Figure.savefig

    def spy(self: Figure, *arguments: object, **options: object) -> None:
        for axes in self.axes:
            found.append(axes.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " "))
            found.extend(text.get_text() for text in axes.texts)
            found.extend(label.get_text() for label in axes.get_yticklabels())
        save(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spy)
    return found


def test_numbers_names_and_accuracy_are_in_the_picture(tmp_path: Path, texts: list[str]) -> None:
    save_confusion([[1150, 50], [0, 800]], ["cat", "dog"], tmp_path)
    assert {"1,150", "50", "800", "96", "4", "100", "cat", "dog"} <= set(texts)
    assert "1,950 of 2,000 test images right" in texts
    assert "accuracy 97.5 %; each row in %" in texts


@pytest.mark.parametrize(
    ("counts", "title"),
    [
        ([[90, 8, 2], [1, 99, 0], [300, 0, 9700]], "Confused most: 8 % of “cat” images are taken for “dog”"),
        ([[1000, 3, 0], [0, 1000, 0], [0, 0, 1]], "Confused most: <1 % of “cat” images are taken for “dog”"),
        ([[5, 0, 0], [0, 5, 0], [0, 0, 0]], "Every one of the 10 test images is right"),
    ],
)
def test_the_title_names_the_classes_that_are_confused_most(
    counts: list[list[int]], title: str, tmp_path: Path
) -> None:
    picture, _ = save_confusion(counts, ["cat", "dog", "eel"], tmp_path)
    assert read_title(picture) == title


def test_a_share_that_rounds_to_none_or_all_is_not_said_to_be_so(tmp_path: Path, texts: list[str]) -> None:
    save_confusion([[995, 5], [3, 997]], ["cat", "dog"], tmp_path)
    assert {"995", "5", "3", "997", "<1", ">99"} <= set(texts)


def test_the_worst_confusion_is_by_the_share_of_the_true_class() -> None:
    assert worst_confusion(np.array([[900, 100], [2, 8]])) == (1, 0, 0.2)
    assert worst_confusion(np.eye(3)) is None


def test_a_data_set_without_images_of_a_class_divides_by_nothing(tmp_path: Path) -> None:
    picture, _ = save_confusion([[0, 0], [3, 5]], ["a", "b"], tmp_path)
    assert "38 % of “b” images" in read_title(picture)


def test_a_table_that_a_run_keeps_is_drawn_under_its_own_name(tmp_path: Path) -> None:
    table = tmp_path / "validation_confusion_matrix.json"
    columns = ["true class", "predicted a", "predicted b"]
    table.write_text(json.dumps({"columns": columns, "data": [["a", 3, 1], ["b", 0, 4]]}))
    picture, numbers = draw_from_table(table, tmp_path / "figures")
    assert [picture.name, numbers.name] == ["validation_confusion_matrix.png", "validation_confusion_matrix.csv"]
    assert read_title(picture) == "Confused most in validation: 25 % of “a” images are taken for “b”"
    assert read_table(numbers) == [["true \\ predicted", "a", "b"], ["a", "3", "1"], ["b", "0", "4"]]


def test_odd_names_of_classes_come_through(tmp_path: Path) -> None:
    counts = np.ones((len(ODD_NAMES), len(ODD_NAMES)), dtype=int).tolist()
    picture, table = save_confusion(counts, list(ODD_NAMES), tmp_path)
    assert read_table(table)[0][1:] == list(ODD_NAMES)
    assert "a,b" in read_title(picture)
