"""The confusion matrix as files: the CSV holds the counts, the picture is one, up to many classes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionlab.figures.confusion import save_confusion


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_csv_holds_the_counts_and_the_picture_has_ink(classes: int, tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 50, (classes, classes)).tolist()
    names = [f"class {i}" for i in range(classes)]
    picture, table = save_confusion(counts, names, tmp_path / "figures")
    with table.open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0][1:] == names
    assert [row[0] for row in rows[1:]] == names
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == counts
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert min(pixels.shape) > 400
    assert pixels.std() > 10
    assert sorted(file.name for file in picture.parent.iterdir()) == ["confusion_matrix.csv", "confusion_matrix.png"]


def test_numbers_names_and_accuracy_are_in_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    texts: list[str] = []
    save = Figure.savefig

    def spy(self: Figure, *arguments: object, **options: object) -> None:
        for axes in self.axes:
            texts.append(axes.get_title(loc="left"))
            texts.extend(text.get_text() for text in axes.texts)
            texts.extend(label.get_text() for label in axes.get_yticklabels())
        save(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", spy)
    save_confusion([[1150, 50], [0, 800]], ["cat", "dog"], tmp_path)
    assert {"1,150", "50", "800", "96", "4", "100", "cat", "dog"} <= set(texts)
    assert "1,950 of 2,000 right" in texts
    assert any("97.5%" in text for text in texts)


def test_a_data_set_without_images_of_a_class_divides_by_nothing(tmp_path: Path) -> None:
    picture, _ = save_confusion([[0, 0], [3, 5]], ["a", "b"], tmp_path)
    assert picture.stat().st_size > 0
