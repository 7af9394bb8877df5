"""The verdicts: equal to the last bit, within tolerance, different."""

from __future__ import annotations

import math

import pytest

from visionlab.reproduction.outcome import Verdict, judge
from visionlab.reproduction.tolerance import Range


@pytest.mark.parametrize(
    ("original", "reproduction", "tolerated", "verdict"),
    [
        (0.9, 0.9, None, Verdict.EQUAL),
        (None, None, None, Verdict.EQUAL),  # undefined in both
        (0.9, math.nextafter(0.9, 1), None, Verdict.DIFFERENT),  # one bit, and nothing to excuse it
        (0.9, math.nextafter(0.9, 1), Range(0.8, 1.0), Verdict.WITHIN),
        (0.9, 0.8, Range(0.8, 1.0), Verdict.WITHIN),
        (0.9, 0.79, Range(0.8, 1.0), Verdict.DIFFERENT),
        (0.9, None, Range(0.8, 1.0), Verdict.DIFFERENT),
        (None, 0.9, None, Verdict.DIFFERENT),
    ],
)
def test_the_verdict_on_a_metric(
    original: float | None, reproduction: float | None, tolerated: Range | None, verdict: Verdict
) -> None:
    assert judge(original, reproduction, tolerated) is verdict
