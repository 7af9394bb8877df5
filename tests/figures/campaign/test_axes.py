"""Settings stand along an axis by their size, magnitude or name; objectives have ticks that can be read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.figures.campaign.made import ACCURACY, LOSS, PARAMETERS, finished, make_grid, make_results, make_search
from visionlab.campaigns.results import Results
from visionlab.config.search import Objective
from visionlab.figures.campaign.axes import by_magnitude, colouring, prepare_objective, scales, ticks_of_objective


def vary(*values: Any, kind: str = "tune", **content: Any) -> Results:
    """A campaign of runs that differ in the setting `a.x`."""
    children = [finished(i, {"a.x": value}, i / 10) for i, value in enumerate(values)]
    return make_results(kind, children, **content)


def test_settings_come_by_importance_and_are_of_the_kind_that_was_searched() -> None:
    found = {scale.path: scale for scale in scales(make_search())}
    assert [*found] == [
        "optimizer.lr", "model.width", "optimizer", "optimizer.momentum", "data.augment.flip", "data.augment.crop",
    ]  # fmt: skip
    kinds = [scale.kind for scale in found.values()]
    assert kinds == ["log", "linear", "categorical", "linear", "categorical", "categorical"]
    assert found["data.augment.flip"].categories == ("false", "true")
    assert found["data.augment.crop"].categories == ("[0.35, 1.0]", "null")
    assert (found["optimizer.lr"].low, found["optimizer.lr"].high) == (-4, -1)


def test_a_run_without_the_setting_has_no_place() -> None:
    results = make_search()
    (momentum,) = (scale for scale in scales(results) if scale.path == "optimizer.momentum")
    for child in results.measured():
        assert math.isnan(momentum.place(child)) == (child.settings["optimizer"] == "muon")


def test_values_of_a_grid_and_choices_among_numbers_are_evenly_apart_in_their_order() -> None:
    rate, width = scales(make_grid((0.1, 0.001, 0.01), (64, 16)))
    assert (rate.categories, width.categories) == (("0.001", "0.01", "0.1"), ("16", "64"))
    (choices,) = scales(vary(100, 3, 20, bounds={"a.y": (0.0, 1.0)}))
    assert choices.categories == ("3", "20", "100")
    (unknown,) = scales(vary(100, 3, 20))
    assert (unknown.kind, unknown.low, unknown.high) == ("linear", 3, 100)


def test_numbers_and_names_together_are_names() -> None:
    (scale,) = scales(vary(0.5, None, True, "a", [1, 2]))
    assert scale.categories == ("0.5", "[1, 2]", "a", "null", "true")
    assert np.unique(scale.places(vary("a", None).children)).tolist() == [2, 3]


def test_settings_that_do_not_differ_have_no_axis() -> None:
    assert scales(vary(3, 3)) == []


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1e-4, 1e-1, ["0.0001", "0.001", "0.01", "0.1"]),
        (0.9, 12, ["1", "2", "5", "10"]),
        (1e-6, 1e6, ["1e-06", "0.001", "1", "1000", "1,000,000"]),
        (3.1, 3.4, ["3.1", "3.4"]),
    ],
)
def test_orders_of_magnitude_have_round_ticks(low: float, high: float, expected: list[str]) -> None:
    (scale,) = scales(vary(low, high, log=("a.x",)))
    places, texts = scale.ticks()
    assert texts == expected
    assert [10**place for place in places] == pytest.approx([float(text.replace(",", "")) for text in texts])


def test_ticks_of_numbers_lie_between_the_ends() -> None:
    (scale,) = scales(vary(0.13, 0.87))
    places, texts = scale.ticks()
    assert texts == ["0.2", "0.4", "0.6", "0.8"]
    assert places == pytest.approx([0.2, 0.4, 0.6, 0.8])


def test_many_names_are_thinned_and_long_ones_shortened() -> None:
    (scale,) = scales(vary(*(f"{i:03} {'x' * 30}" for i in range(100))))
    places, texts = scale.ticks()
    assert len(places) <= 15
    assert max(map(len, texts)) <= 14
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("objective", "values", "expected"),
    [
        (ACCURACY, [0.9, 0.95], ["90 %", "91 %", "92 %", "93 %", "94 %", "95 %"]),
        (LOSS, [0.2, 0.31], ["0.2", "0.22", "0.24", "0.26", "0.28", "0.3"]),
        (PARAMETERS, [1000, 2_000_000], ["1000", "10,000", "100,000", "1,000,000"]),
    ],
)
def test_objectives_have_round_ticks_and_shares_in_percent(
    objective: Objective, values: list[float], expected: list[str]
) -> None:
    _, texts = ticks_of_objective(objective, values)
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts] == expected


def test_only_amounts_of_very_different_size_are_drawn_by_magnitude() -> None:
    assert by_magnitude(PARAMETERS, [1000, 100_000])
    assert not by_magnitude(PARAMETERS, [1000, 2000])
    assert not by_magnitude(LOSS, [0, 1000])
    assert not by_magnitude(ACCURACY, [0.001, 1])
    axes = Figure().subplots()
    prepare_objective(axes, "y", PARAMETERS, [1000, 100_000])
    assert axes.get_yscale() == "log"


def test_the_better_the_darker() -> None:
    for objective in (ACCURACY, LOSS):
        worst, best = (0, 1) if objective.direction == "maximize" else (1, 0)
        shades = colouring(objective, [0.2, 0.8]).to_rgba([0.2, 0.8])[:, :3].sum(axis=1)
        assert shades[best] < shades[worst]
    assert np.isfinite(colouring(ACCURACY, [0.5, 0.5]).to_rgba([0.5])).all()
