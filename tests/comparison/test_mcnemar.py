"""McNemar's exact test against numbers worked out by hand and by scipy; what it says of confusion matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from visionlab.comparison.mcnemar import changes, exact_mcnemar, holm, mcnemar
from visionlab.tracking.predictions import Predictions


def answers(labels: np.ndarray, predicted: np.ndarray, classes: int) -> Predictions:
    return Predictions(np.eye(classes, dtype=np.float32)[predicted], labels)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1), (0, 1, 1), (3, 3, 1), (0, 5, 2 / 32), (1, 7, 2 * (1 + 8) / 256), (7, 1, 2 * (1 + 8) / 256)],
)
def test_small_counts_by_hand(first: int, second: int, p: float) -> None:
    assert exact_mcnemar(np.array([first]), np.array([second]))[0] == pytest.approx(p)


def test_any_counts_as_a_binomial_test_has_them() -> None:
    first, second = np.random.default_rng(0).integers(0, [[60], [900]], (2, 50))
    expected = [
        binomtest(a, a + b).pvalue if a + b else 1 for a, b in zip(first.tolist(), second.tolist(), strict=True)
    ]
    assert exact_mcnemar(first, second) == pytest.approx(np.array(expected))


def test_only_images_that_one_run_alone_has_right_count() -> None:
    labels = np.zeros(12, dtype=np.int64)
    first = answers(labels, np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2]), 3)
    second = answers(labels, np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 2, 1]), 3)
    found = mcnemar(first, second)
    assert (found.first, found.second) == (2, 6)
    assert found.p == pytest.approx(binomtest(2, 8).pvalue)


def test_holms_adjustment_of_a_textbook_family() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])
    assert holm(np.array([])).shape == (0,)


def test_a_confusion_that_one_run_no_longer_has_is_found_and_nothing_else() -> None:
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(10), 200)
    noise = np.where(random.random(2000) < 0.05, random.integers(0, 10, 2000), labels)
    confused = np.where((labels == 3) & (random.random(2000) < 0.3), 5, noise)
    found = changes(answers(labels, confused, 10), answers(labels, noise, 10))
    assert {(int(row), int(column)) for row, column in np.argwhere(found.p < 0.05)} == {(3, 5), (3, 3)}
    assert found.first[3, 5] > 0.2
    assert found.second.sum(axis=1) == pytest.approx(np.ones(10))


def test_among_many_cells_chance_alone_is_rarely_taken_for_a_difference() -> None:
    """Of 200 pairs of equally good runs at most one in twenty may have any cell marked."""
    random = np.random.default_rng(2)
    labels = np.repeat(np.arange(10), 50)
    marked = 0
    for _ in range(200):
        pair = [np.where(random.random(500) < 0.3, random.integers(0, 10, 500), labels) for _ in range(2)]
        marked += bool((changes(*(answers(labels, predicted, 10) for predicted in pair)).p < 0.05).any())
    assert marked <= 10


def test_runs_that_say_the_same_do_not_differ_anywhere() -> None:
    labels = np.arange(4)
    run = answers(labels, np.array([0, 1, 1, 3]), 5)  # the fifth class does not occur
    found = changes(run, run)
    assert (found.p == 1).all()
    assert found.first[4].sum() == 0
