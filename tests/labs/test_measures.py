"""Measures of weights, of dropout, and of several runs together, on numbers that are worked by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.labs.conftest import MadeUp
from visionlab.labs import networks
from visionlab.labs.measures import MEASURES


def fold(accuracy: float | None, split_seed: int, folds: int | None = 5) -> Any:
    data = SimpleNamespace(folds=folds, split_seed=split_seed)
    return SimpleNamespace(at_best=lambda _: accuracy, config=SimpleNamespace(data=data))


def test_an_estimate_is_a_split_s_or_the_mean_over_the_folds_of_a_division() -> None:
    single = [fold(0.8, 0, None), fold(0.9, 1, None), fold(None, 2, None)]
    assert MEASURES["estimate"].values(single) == [0.8, 0.9]
    # of two, sqrt(2) times as far as their mean is
    assert MEASURES["deviation"].values(single) == pytest.approx([0.05 * 2**0.5] * 2)
    folds = [
        fold(accuracy, seed) for seed, accuracies in enumerate([(0.7, 0.9), (0.8, 0.9)]) for accuracy in accuracies
    ]
    assert MEASURES["estimate"].values(folds) == pytest.approx([0.8, 0.85])
    assert MEASURES["deviation"].values(folds) == pytest.approx([0.025 * 2**0.5] * 2)
    four = folds + [fold(accuracy, 2 + number // 2) for number, accuracy in enumerate((0.9, 0.9, 0.9, 0.9))]
    # over two divisions each: 0.825 and 0.9
    assert MEASURES["repeated_deviation"].values(four) == pytest.approx([0.0375 * 2**0.5] * 2)


def test_norms_are_of_all_matrices_together(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"a.weight": torch.tensor([[3.0, 0.0005]]), "b.weight": torch.tensor([[-4.0]]), "a.bias": torch.ones(9)}
    monkeypatch.setattr(networks, "parameters", lambda run, which: {"last": weights}[which])
    run: Any = None
    assert MEASURES["l1_norm"].of(run) == pytest.approx(7.0005)
    assert MEASURES["l2_norm"].of(run) == pytest.approx(5.0)
    assert MEASURES["small_weights"].of(run) == pytest.approx(1 / 3)


def test_what_dropout_drops_is_the_mean_over_layers_and_records(made_up: MadeUp) -> None:
    curves = {"diagnostics/dropped/body.2": [(1, 0.4), (50, 0.6)], "diagnostics/dropped/body.4": [(1, 0.5), (50, 0.3)]}
    (run,) = made_up({"a": [0.9]}, curves).runs
    assert MEASURES["dropped"].of(run) == pytest.approx(0.45)


def test_a_loss_rises_from_its_minimum_to_the_end(made_up: MadeUp) -> None:
    (run,) = made_up({"a": [0.9]}, {"val/loss": [(1, 2.0), (2, 0.5), (3, 0.9)]}).runs
    assert MEASURES["loss_rise"].of(run) == pytest.approx(0.4)
