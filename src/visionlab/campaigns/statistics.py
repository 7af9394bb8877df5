"""What a handful of runs says about the mean of all that could be made, and about the difference of two such means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean with its uncertainty.

    Attributes:
        std: of the sample (divided by `count - 1`); NaN for a single value, as are the two ends.
        low, high: the interval of 95 % confidence of the mean.
        count: of the values.
    """

    mean: float
    std: float
    low: float
    high: float
    count: int  # type: ignore[assignment] # hides the method of tuples, which nobody needs here


class Difference(NamedTuple):
    """The difference of two means and its interval of 95 % confidence; NaN for the ends where they are not known."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean, standard deviation and Student's interval of the mean (Student 1908); None where there are no values.

    Values that are not finite are left out; `count` says how many were not.
    """
    finite = _finite(values)
    if not finite:
        return None
    mean, count = fmean(finite), len(finite)
    if count == 1:
        return Estimate(mean, math.nan, math.nan, math.nan, count)
    std = stdev(finite)
    half = _quantile(count - 1) * std / math.sqrt(count)
    return Estimate(mean, std, mean - half, mean + half, count)


def difference(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """The mean of `first` less that of `second`; None where one of them has no values.

    The interval is Welch's (1947), with the degrees of freedom of Satterthwaite (1946): the two need not vary alike.
    """
    one, other = estimate(first), estimate(second)
    if one is None or other is None:
        return None
    mean = one.mean - other.mean
    if min(one.count, other.count) == 1:
        return Difference(mean, math.nan, math.nan)
    shares = [part.std**2 / part.count for part in (one, other)]
    variance = sum(shares)
    if variance == 0:
        return Difference(mean, mean, mean)
    below = sum(share**2 / (part.count - 1) for share, part in zip(shares, (one, other), strict=True))
    half = _quantile(variance**2 / below) * math.sqrt(variance)
    return Difference(mean, mean - half, mean + half)


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _quantile(freedom: float) -> float:
    """Of Student's distribution, for both ends together."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + LEVEL) / 2))
