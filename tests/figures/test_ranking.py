"""Every threshold counts; a table may have fewer points than the curve."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_curve as reference

from tests.figures.made import make_predictions
from visionlab.figures import ranking
from visionlab.figures.ranking import Curve, hits_and_alarms, positive_label
from visionlab.figures.roc import roc_curve


@pytest.mark.parametrize("digits", [7, 1])
def test_hits_and_alarms_are_those_of_scikit_learn_also_where_scores_are_equal(digits: int) -> None:
    probabilities, labels = make_predictions(3, 500, 1.0)
    scores = probabilities[:, 1].round(digits)
    thresholds, hits, alarms = hits_and_alarms(scores, labels == 1)
    false, found, their_thresholds = reference(labels == 1, scores, drop_intermediate=False)
    np.testing.assert_allclose(hits / hits[-1], found[1:])
    np.testing.assert_allclose(alarms / alarms[-1], false[1:])
    np.testing.assert_allclose(thresholds, their_thresholds[1:], rtol=1e-6)


def test_a_table_has_at_most_500_points_of_a_class_both_ends_and_nearly_the_area() -> None:
    probabilities, labels = make_predictions(2, 20_000, 1.0)
    curve = roc_curve("dog", probabilities[:, 1], labels == 1)
    rows = [tuple(map(float, row[1:])) for row in ranking.rows([curve])]
    assert len(curve.x) > 5000
    assert 300 < len(rows) <= ranking.POINTS
    assert rows[0][2:] == (0.0, 0.0)
    assert rows[-1][2:] == (1.0, 1.0)
    areas, _, false, found = zip(*rows, strict=True)
    assert set(areas) == {round(curve.area, 6)}
    assert np.trapezoid(found, false) == pytest.approx(curve.area, abs=2e-4)


def test_a_curve_that_ends_level_keeps_its_first_and_its_last_point() -> None:
    x, y = np.append(np.linspace(0, 1, 1000), [1.0] * 50), np.append(np.linspace(0, 1, 1000), [1.0] * 50)
    rows = list(ranking.rows([Curve("a", 0.5, x, y, np.arange(1050.0))]))
    assert len(rows) <= ranking.POINTS
    assert (rows[0][2], rows[-1][2]) == ("0", "1049")


def test_with_many_classes_a_table_stays_small() -> None:
    curves = [Curve(str(i), 0.5, np.arange(1000.0), np.arange(1000.0), np.arange(1000.0)) for i in range(100)]
    assert len(list(ranking.rows(curves))) <= ranking.POINTS_OF_ALL


def test_one_of_two_classes_is_the_positive_one() -> None:
    assert positive_label(["cat", "dog"], None) == 1
    assert positive_label(["cat", "dog"], "cat") == 0
    assert positive_label(["cat", "dog", "eel"], None) is None
    assert positive_label(["cat"], None) is None
