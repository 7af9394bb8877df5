"""Whether a lab's numbers show what was expected of them, in words that claim no more than they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from visionlab.campaigns.statistics import difference
from visionlab.config.lab import EffectConfig
from visionlab.labs.lab import Lab, values
from visionlab.labs.measures import MEASURES


@dataclass(frozen=True)
class Verdict:
    """What became of an expected effect.

    Attributes:
        seen: None where there are not the runs to tell.
        text: a sentence with the numbers.
    """

    seen: bool | None
    text: str


def judge(effect: EffectConfig, lab: Lab) -> Verdict:
    """Compare an effect with the numbers. A measure that a run lacks, or that is not a number, keeps no bound."""
    found = values(effect.measure, lab.select(effect.where))
    if effect.than is None:
        return _bound(effect, found)
    others = values(effect.measure, lab.select(effect.where | effect.than))
    return _difference(effect, found, others)


def _bound(effect: EffectConfig, found: Sequence[float]) -> Verdict:
    measure = MEASURES[effect.measure]
    if not found:
        return Verdict(None, f"Cannot be told: {effect.says}. There are no runs of it.")
    kept = sum(_keeps(effect, value) for value in found)
    seen = kept >= effect.share * len(found) - 1e-9
    wanted = "all" if effect.share == 1 else f"{effect.share:.0%} of them"
    limit = f"at least {measure.written(effect.at_least)}" if effect.at_least is not None else ""
    limit += f"at most {measure.written(effect.at_most)}" if effect.at_most is not None else ""
    runs = "the one run" if len(found) == 1 else f"{kept} of {len(found)} runs"
    numbers = f"{measure.words} is {limit} in {runs}" if kept or len(found) > 1 else f"{measure.words} is not {limit}"
    numbers += f" ({_range(effect, found)})"
    if seen:
        return Verdict(True, f"{effect.says}: {numbers}.")
    return Verdict(False, f"Not seen: {effect.says}. {numbers[:1].upper()}{numbers[1:]}, expected in {wanted}.")


def _difference(effect: EffectConfig, found: Sequence[float], others: Sequence[float]) -> Verdict:
    measure = MEASURES[effect.measure]
    change = difference(found, others)
    if change is None:
        return Verdict(None, f"Cannot be told: {effect.says}. There are no runs to compare.")
    means = [fmean(value for value in side if math.isfinite(value)) for side in (found, others)]
    numbers = (
        f"{measure.words} {measure.written(means[0])} against {measure.written(means[1])}, "
        f"a difference of {measure.gap(change.mean)}"
    )
    if math.isnan(change.low):
        return Verdict(None, f"Cannot be told from single runs: {effect.says}. {numbers[:1].upper()}{numbers[1:]}.")
    numbers += f" (95 % interval {measure.gap(change.low)} to {measure.gap(change.high)})"
    # the margin, and an interval on one side of 0: else chance alone may have done it
    is_clear = change.low > 0 if effect.at_least is not None else change.high < 0
    missing = [value for value in (*found, *others) if not math.isfinite(value)]
    if _keeps(effect, change.mean) and is_clear and not missing:
        return Verdict(True, f"{effect.says}: {numbers}.")
    bound = effect.at_least if effect.at_least is not None else effect.at_most
    assert bound is not None
    side = "at least" if effect.at_least is not None else "at most"
    without = f"; {len(missing)} runs are without a number" if missing else ""
    expected = f"expected {side} {measure.gap(bound)}, beyond chance{without}"
    return Verdict(False, f"Not seen: {effect.says}. {numbers[:1].upper()}{numbers[1:]}, {expected}.")


def _keeps(effect: EffectConfig, value: float) -> bool:
    if effect.at_least is not None:
        return value >= effect.at_least
    assert effect.at_most is not None
    return value <= effect.at_most


def _range(effect: EffectConfig, found: Sequence[float]) -> str:
    measure = MEASURES[effect.measure]
    finite = [value for value in found if math.isfinite(value)]
    if not finite:
        return "nowhere measured"
    if len(found) == 1:
        return measure.written(finite[0])
    return f"{measure.written(min(finite))} to {measure.written(max(finite))}"
