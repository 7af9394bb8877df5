"""Schedules: the learning rate of each optimizer step, as a factor of its peak.

Each function turns its settings into a function (step, total_steps) -> factor. Step 0 is the first of a run, step
total_steps - 1 the last. `end_factor` is the factor at total_steps, the moment after the last step: no step is spent on
a rate of zero, and a run of a single step takes it at the peak. A peak or a milestone given as a share of the steps
falls on the nearest step.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from visionlab.config.optimizer import (
    ConstantConfig,
    CosineConfig,
    ExponentialConfig,
    OneCycleConfig,
    StepConfig,
    TriangularConfig,
)

Schedule = Callable[[int, int], float]


def constant(config: ConstantConfig) -> Schedule:
    """The peak throughout."""
    return lambda step, total_steps: 1.0


def one_cycle(config: OneCycleConfig) -> Schedule:
    """Half a cosine up to the peak, half a cosine down."""

    def factor(step: int, total_steps: int) -> float:
        peak = _peak_step(config.peak, total_steps)
        if step < peak:
            return _cosine_between(config.start_factor, 1.0, step / peak)
        return _cosine_between(1.0, config.end_factor, (step - peak) / (total_steps - peak))

    return factor


def triangular(config: TriangularConfig) -> Schedule:
    """Straight up to the peak, straight down."""

    def factor(step: int, total_steps: int) -> float:
        peak = _peak_step(config.peak, total_steps)
        if step < peak:
            return _line_between(config.start_factor, 1.0, step / peak)
        return _line_between(1.0, config.end_factor, (step - peak) / (total_steps - peak))

    return factor


def cosine(config: CosineConfig) -> Schedule:
    """Straight up from one part of the peak in (warm-up steps + 1), half a cosine down."""

    def factor(step: int, total_steps: int) -> float:
        peak = _peak_step(config.warmup, total_steps)
        if step < peak:
            return (step + 1) / (peak + 1)
        return _cosine_between(1.0, config.end_factor, (step - peak) / (total_steps - peak))

    return factor


def step(config: StepConfig) -> Schedule:
    """The peak for the first step at least, multiplied by gamma from each milestone on."""

    def factor(step: int, total_steps: int) -> float:
        passed = sum(step >= max(1, round(milestone * total_steps)) for milestone in config.milestones)
        return config.gamma**passed

    return factor


def exponential(config: ExponentialConfig) -> Schedule:
    """From start to end by the same ratio at each step."""
    ratio = config.end_factor / config.start_factor
    return lambda step, total_steps: config.start_factor * ratio ** min(step / total_steps, 1.0)


def _peak_step(share: float, total_steps: int) -> int:
    """The step at which the peak is reached; always one of the run's."""
    return min(round(share * total_steps), total_steps - 1)


def _line_between(start: float, end: float, progress: float) -> float:
    """From `start` to `end`; stays there when `progress` goes on beyond 1."""
    return start + (end - start) * min(progress, 1.0)


def _cosine_between(start: float, end: float, progress: float) -> float:
    """From `start` to `end` along half a cosine; stays there when `progress` goes on beyond 1."""
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2
