from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, MultiStepLR, OneCycleLR

from visionlab.config.base import Component
from visionlab.config.optimizer import ConstantConfig, CosineConfig, OneCycleConfig, StepConfig, TriangularConfig
from visionlab.training.schedules import Schedule, constant, cosine, one_cycle, step, triangular

ALL = [ConstantConfig(), OneCycleConfig(), TriangularConfig(), CosineConfig(), StepConfig()]


def build(config: Component) -> Schedule:
    return config.load_implementation()(config)


def rates(make: Callable[[torch.optim.Optimizer], LRScheduler], steps: int) -> list[float]:
    """The learning rates of so many steps and of the one that would follow, with a peak of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    values = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        values.append(optimizer.param_groups[0]["lr"])
    return values


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
@pytest.mark.parametrize("total", [1, 2, 3, 10, 97])
def test_every_run_reaches_the_peak_and_no_step_leaves_its_range(config: Component, total: int) -> None:
    factor = build(config)
    factors = [factor(step, total) for step in range(total)]
    assert max(factors) == 1.0
    assert min(factors) > 0
    assert 0 <= factor(total, total) <= 1


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
def test_a_single_step_is_taken_at_the_peak(config: Component) -> None:
    assert build(config)(0, 1) == 1.0


@pytest.mark.parametrize("config", ALL, ids=lambda config: config.name)
def test_steps_beyond_the_end_stay_at_the_end(config: Component) -> None:
    factor = build(config)
    assert factor(25, 20) == factor(20, 20)


@pytest.mark.parametrize(
    ("schedule", "config"),
    [
        (one_cycle, OneCycleConfig(peak=0.3, start_factor=0.04, end_factor=0.001)),
        (triangular, TriangularConfig(peak=0.3, start_factor=0.04, end_factor=0.001)),
    ],
)
def test_end_points_and_peak_are_exact(schedule: Callable[[Component], Schedule], config: Component) -> None:
    factor = schedule(config)
    assert factor(0, 100) == pytest.approx(0.04, rel=1e-12)
    assert factor(30, 100) == 1.0
    assert factor(29, 100) < 1.0
    assert factor(31, 100) < 1.0
    assert factor(100, 100) == pytest.approx(0.001, rel=1e-12)


def test_one_cycle_is_that_of_torch() -> None:
    steps, peak = 100, 30
    factor = one_cycle(OneCycleConfig(peak=peak / steps, start_factor=1 / 25, end_factor=1e-4))
    # torch ends on its last step: it is told of one step more, and of the peak as it counts
    expected = rates(
        lambda optimizer: OneCycleLR(
            optimizer,
            max_lr=1.0,
            total_steps=steps + 1,
            pct_start=(peak + 1) / (steps + 1),
            div_factor=25,
            final_div_factor=400,
        ),
        steps,
    )
    assert [factor(step, steps) for step in range(steps + 1)] == pytest.approx(expected, rel=1e-9)


def test_cosine_without_warmup_is_that_of_torch() -> None:
    factor = cosine(CosineConfig(warmup=0, end_factor=0.1))
    expected = rates(lambda optimizer: CosineAnnealingLR(optimizer, T_max=50, eta_min=0.1), 50)
    assert [factor(step, 50) for step in range(51)] == pytest.approx(expected, rel=1e-9)


def test_cosine_warms_up_along_a_line_that_starts_above_zero() -> None:
    factor = cosine(CosineConfig(warmup=0.04))
    assert [factor(step, 100) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factor(52, 100) == pytest.approx(0.5)
    assert factor(100, 100) == 0


def test_triangular_is_straight() -> None:
    factor = triangular(TriangularConfig(peak=0.2, start_factor=0.2, end_factor=0))
    assert [factor(step, 10) for step in range(11)] == pytest.approx(
        [0.2, 0.6, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0]
    )


def test_triangular_can_start_at_the_peak() -> None:
    factor = triangular(TriangularConfig(peak=0))
    assert [factor(step, 4) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_step_is_that_of_torch() -> None:
    factor = step(StepConfig(milestones=(0.5, 0.75), gamma=0.1))
    expected = rates(lambda optimizer: MultiStepLR(optimizer, milestones=[20, 30], gamma=0.1), 40)
    assert [factor(step, 40) for step in range(41)] == pytest.approx(expected)


def test_constant_is_constant() -> None:
    factor = constant(ConstantConfig())
    assert {factor(step, 7) for step in range(8)} == {1.0}


def test_every_parameter_group_follows_from_its_own_peak() -> None:
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [weights[0]], "lr": 2.0}, {"params": [weights[1]], "lr": 0.5}])
    factor = cosine(CosineConfig(warmup=0))
    scheduler = LambdaLR(optimizer, lambda step: factor(step, 4))
    optimizer.step()
    scheduler.step()
    expected = (1 + math.cos(math.pi / 4)) / 2
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([2 * expected, expected / 2])
