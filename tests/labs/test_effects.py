"""An effect is seen where the numbers show it, beyond chance, and nowhere else; the words say the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.labs.conftest import MadeUp
from visionlab.config.lab import EffectConfig
from visionlab.labs.effects import Verdict, judge


def verdict(made_up: MadeUp, accuracies: dict[str, list[float | None]], **effect: Any) -> Verdict:
    content = {"says": "It works", "measure": "accuracy"} | effect
    return judge(EffectConfig.model_validate(content), made_up(accuracies))


def test_a_bound_is_for_every_run(made_up: MadeUp) -> None:
    found = verdict(made_up, {"a": [0.75, 0.5, 0.25], "b": [1.0]}, where={"net": "a"}, at_most=0.75)
    assert found == Verdict(
        True, "It works: validation accuracy is at most 75.00\xa0% in 3 of 3 runs (25.00\xa0% to 75.00\xa0%)."
    )


def test_a_single_run_beyond_the_bound_is_told(made_up: MadeUp) -> None:
    found = verdict(made_up, {"a": [0.75, 0.76]}, where={"net": "a"}, at_most=0.75)
    assert found.seen is False
    assert found.text == (
        "Not seen: It works. Validation accuracy is at most 75.00\xa0% in 1 of 2 runs "
        "(75.00\xa0% to 76.00\xa0%), expected in all."
    )


@pytest.mark.parametrize(("right", "seen"), [(19, True), (18, False)])
def test_a_share_of_the_runs_may_be_enough(made_up: MadeUp, right: int, seen: bool) -> None:
    accuracies = {"a": [1.0] * right + [0.75] * (20 - right)}
    assert verdict(made_up, accuracies, at_least=1, share=0.95).seen is seen


def test_what_a_run_has_not_measured_keeps_no_bound(made_up: MadeUp) -> None:
    assert verdict(made_up, {"a": [0.9, None]}, at_least=0.5).seen is False


def test_a_difference_has_to_be_as_large_as_wanted_and_beyond_chance(made_up: MadeUp) -> None:
    compare: dict[str, Any] = {"where": {"net": "a"}, "than": {"net": "b"}, "at_least": 0.05}
    found = verdict(made_up, {"a": [0.90, 0.91, 0.92], "b": [0.80, 0.81, 0.82]}, **compare)
    assert found.seen is True
    # Welch by hand: sqrt(2 * 1e-4 / 3) * 2.776
    assert "91.00\xa0% against 81.00\xa0%, a difference of +10.00 points" in found.text
    assert "(95 % interval +7.73 points to +12.27 points)" in found.text


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.83, 0.84, 0.85], [0.80, 0.81, 0.82]),
        ([0.99, 0.60, 0.99], [0.80, 0.70, 0.80]),
        ([0.9, None, 0.9], [0.1, 0.2]),
    ],
    ids=["too small", "chance", "not measured"],
)
def test_a_difference_that_is_not_seen_is_said_to_be_so(made_up: MadeUp, a: list[float], b: list[float]) -> None:
    found = verdict(made_up, {"a": a, "b": b}, where={"net": "a"}, than={"net": "b"}, at_least=0.05)
    assert found.seen is False
    assert found.text.startswith("Not seen: It works. Validation accuracy")


def test_less_than_others_is_a_negative_difference(made_up: MadeUp) -> None:
    compare: dict[str, Any] = {"where": {"net": "b"}, "than": {"net": "a"}, "at_most": -0.05}
    assert verdict(made_up, {"a": [0.9, 0.91], "b": [0.7, 0.71]}, **compare).seen is True


def test_single_runs_and_none_tell_nothing(made_up: MadeUp) -> None:
    compare: dict[str, Any] = {"where": {"net": "a"}, "than": {"net": "b"}, "at_least": 0.05}
    found = verdict(made_up, {"a": [0.9], "b": [0.1]}, **compare)
    assert (found.seen, found.text.partition(":")[0]) == (None, "Cannot be told from single runs")
    assert (
        judge(
            EffectConfig.model_validate({"says": "A", "measure": "accuracy", "at_least": 0} | compare), made_up({})
        ).seen
        is None
    )
