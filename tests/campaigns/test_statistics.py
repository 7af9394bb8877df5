"""The intervals are scipy's, and hold the true mean as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from visionlab.campaigns.statistics import difference, estimate


@pytest.mark.parametrize("count", [2, 3, 5, 50])
def test_the_interval_of_a_mean_is_that_of_scipy(count: int) -> None:
    values = np.random.default_rng(count).normal(0.9, 0.02, count)
    found = estimate(values.tolist())
    assert found is not None
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.mean, found.std) == pytest.approx((values.mean(), values.std(ddof=1)))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.count == count


def test_the_interval_of_three_values_by_hand() -> None:
    """t of two degrees of freedom is 4.3027, so 2 ± 4.3027 / sqrt(3)."""
    assert estimate([1, 2, 3]) == pytest.approx((2, 1, 2 - 2.4841, 2 + 2.4841, 3), abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 7), (20, 5)])
def test_the_interval_of_a_difference_is_that_of_scipy(first: int, second: int) -> None:
    random = np.random.default_rng(first)
    one, other = random.normal(0.91, 0.01, first), random.normal(0.9, 0.03, second)
    found = difference(one.tolist(), other.tolist())
    assert found is not None
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found == pytest.approx((one.mean() - other.mean(), expected.low, expected.high))


def test_the_interval_holds_the_mean_in_95_of_100_samples() -> None:
    samples = np.random.default_rng(1).normal(3, 2, (4000, 5)).tolist()
    found = [estimate(sample) for sample in samples]
    held = np.mean([one is not None and one.low <= 3 <= one.high for one in found])
    assert held == pytest.approx(0.95, abs=0.015)


def test_few_values_say_little() -> None:
    assert estimate([]) is None
    assert estimate([math.nan]) is None
    one = estimate([0.5])
    assert one is not None
    assert (one.mean, one.count) == (0.5, 1)
    assert all(map(math.isnan, (one.std, one.low, one.high)))
    assert difference([], [1, 2]) is None
    alone = difference([3], [1, 2])
    assert alone is not None
    assert alone.mean == 1.5
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_values_that_are_not_finite_are_left_out_and_not_counted() -> None:
    assert estimate([1, math.nan, 2, math.inf, 3]) == estimate([1, 2, 3])


def test_equal_values_have_an_interval_without_width() -> None:
    assert estimate([0.5, 0.5]) == (0.5, 0, 0.5, 0.5, 2)
    assert difference([0.75, 0.75], [0.5, 0.5, 0.5]) == (0.25, 0.25, 0.25)
    assert difference([0.75, 0.75], [0.25, 0.75]) == pytest.approx(
        (0.25, 0.25 - 12.7062 / 4, 0.25 + 12.7062 / 4), abs=1e-4
    )
