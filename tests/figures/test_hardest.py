"""The sheet of mistakes: which, in which order, from where in the test split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.figures.made import ODD_NAMES, make_predictions, read_title
from visionlab.figures.hardest import hardest, save_hardest

PROBABILITIES = np.float32([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95]])
LABELS = np.array([1, 0, 1, 1, 0])


def images(indices: np.ndarray) -> np.ndarray:
    """Grey images of 8x8 pixels, each of one shade."""
    return np.broadcast_to((10 * indices).astype(np.uint8)[:, None, None, None], (len(indices), 1, 8, 8))


def test_the_most_confident_mistake_comes_first() -> None:
    assert hardest(PROBABILITIES, LABELS).tolist() == [4, 0, 1, 3]


def test_the_numbers_say_which_image_was_taken_for_what(tmp_path: Path) -> None:
    picture, numbers = save_hardest(images, PROBABILITIES, LABELS, ["cat", "dog"], tmp_path / "figures")
    assert read_title(picture) == "All 4 mistakes in 5 test images, the most confident first"
    found = json.loads(numbers.read_text())
    assert (found["images"], found["mistakes"]) == (5, 4)
    assert [mistake["index"] for mistake in found["hardest"]] == [4, 0, 1, 3]
    first = found["hardest"][0]
    assert (first["true"], first["predicted"]) == ("cat", "dog")
    assert first["confidence"] == pytest.approx(0.95)
    assert first["probability_of_true"] == pytest.approx(0.05)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 400, 300)])
def test_24_of_many_mistakes_are_shown_whatever_the_images(shape: tuple[int, int, int], tmp_path: Path) -> None:
    probabilities, labels = make_predictions(8, 200, 0.0)
    asked: list[int] = []

    def read(indices: np.ndarray) -> np.ndarray:
        asked.extend(indices.tolist())
        return np.random.default_rng(0).integers(0, 256, (len(indices), *shape), dtype=np.uint8)

    picture, numbers = save_hardest(read, probabilities, labels, ODD_NAMES, tmp_path)
    mistakes = int((probabilities.argmax(axis=1) != labels).sum())
    assert read_title(picture) == f"The 24 most confident of {mistakes} mistakes in 200 test images"
    found = json.loads(numbers.read_text())["hardest"]
    assert [mistake["index"] for mistake in found] == asked
    assert [mistake["true"] for mistake in found] == [ODD_NAMES[labels[index]] for index in asked]
    confidences = [mistake["confidence"] for mistake in found]
    assert confidences == sorted(confidences, reverse=True)


def test_a_network_without_mistakes_has_none_to_show(tmp_path: Path) -> None:
    picture, numbers = save_hardest(images, PROBABILITIES, PROBABILITIES.argmax(axis=1), ["cat", "dog"], tmp_path)
    assert read_title(picture) == "No mistake: all 5 test images are right"
    assert json.loads(numbers.read_text())["hardest"] == []
