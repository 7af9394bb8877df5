"""What is recorded of layers is put in their order, measured and drawn; of made-up runs."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from PIL import Image

from tests.labs.conftest import MadeUp
from visionlab.config.lab import FigureConfig
from visionlab.figures.lab import draw
from visionlab.figures.lab.layers import MAGNITUDES, _bounds
from visionlab.labs.lab import Lab
from visionlab.labs.layers import by_layer, layer_names
from visionlab.labs.measures import MEASURES

Curves = dict[str, list[tuple[int, float]]]


def recorded(what: str, **layers: list[float]) -> Curves:
    """Values of layers at the steps 1, 10, 20, …; `body_1` stands for body.1."""
    return {
        f"diagnostics/{what}/{name.replace('_', '.')}": [(10 * i or 1, value) for i, value in enumerate(values)]
        for name, values in layers.items()
    }


GRADIENTS = recorded("grad_norm", body_1=[1e-6, 1e-5, 4e-5], body_3=[1e-3, 1e-3, 1e-3], head=[1.0, 1.0, 2.0])
WEIGHTS = recorded("weight_norm", body_1=[1.0], body_4=[1.0], head=[1.0])
# a linear layer, its normalisation and activation, a second without normalisation, and the output
SPREAD = recorded("std", body_1=[9.0], body_2=[8.0], body_3=[4.0], body_4=[7.0], body_5=[2.0], head=[5.0])


def measured(lab: Lab, name: str) -> float | None:
    return MEASURES[name].of(lab.runs[0])


def test_layers_are_those_with_weights_and_end_with_their_activation(made_up: MadeUp) -> None:
    lab = made_up({"a": [0.5]}, GRADIENTS | WEIGHTS | SPREAD)
    assert [curve[0][1] for curve in by_layer(lab.runs[0], "grad_norm")] == [1e-6, 1e-3, 1.0]
    assert [curve[0][1] for curve in by_layer(lab.runs[0], "std")] == [4.0, 2.0, 5.0]
    assert by_layer(lab.runs[0], "zeros") == []
    assert layer_names(3) == ["1", "2", "output"]


def test_the_ratio_of_gradients_is_the_median_over_the_steps(made_up: MadeUp) -> None:
    assert measured(made_up({"a": [0.5]}, GRADIENTS), "gradient_ratio") == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], 0.0),
        ([1.0, math.nan, 3.0], [2.0, math.inf, 2.0], 1.0),
        ([0.0, 0.0], [0.0, 0.0], None),
    ],
    ids=["vanished", "diverged", "nothing"],
)
def test_ratios_that_are_not_defined_do_not_count(
    made_up: MadeUp, first: list[float], last: list[float], expected: float | None
) -> None:
    lab = made_up({"a": [0.5]}, recorded("grad_norm", body_1=first, head=last))
    assert measured(lab, "gradient_ratio") == expected


def test_the_spread_is_of_the_hidden_layers_in_the_first_step(made_up: MadeUp) -> None:
    assert measured(made_up({"a": [0.5]}, WEIGHTS | SPREAD), "spread_ratio") == pytest.approx(0.5)


def test_what_is_not_recorded_is_not_measured(made_up: MadeUp) -> None:
    lab = made_up({"a": [0.5]}, {"train/loss": [(1, 2.0)]})
    assert [measured(lab, name) for name in ("gradient_ratio", "spread_ratio")] == [None, None]


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        ({"train/loss": [(1, 2.0), (2, 1e30)], "val/loss": [(1, math.nan)]}, None),
        ({"train/loss": [(1, 2.0), (2, 1e30), (3, math.nan)]}, 3),
        ({"train/loss": [(1, 2.0), (4, math.nan)], "train/skipped_steps": [(4, 1.0), (5, 2.0)]}, 4),
        ({"train/loss": [(5, math.nan)]} | recorded("grad_norm", head=[1.0, math.inf]), 5),
        ({"train/loss": [(20, math.nan)]} | recorded("grad_norm", head=[1.0, math.inf]), 10),
    ],
    ids=["never", "loss", "skipped", "loss first", "gradient first"],
)
def test_a_training_diverges_at_its_first_step_that_is_not_finite(
    made_up: MadeUp, curves: Curves, expected: int | None
) -> None:
    lab = made_up({"a": [0.5]}, curves)
    assert measured(lab, "diverged_at") == expected
    assert measured(lab, "diverged") == (0 if expected is None else 1)


def test_the_heat_map_has_every_layer_and_step_of_every_network(made_up: MadeUp, tmp_path: Path) -> None:
    lab = made_up({"sigmoid": [0.5, 0.5], "relu": [0.5]}, GRADIENTS | recorded("std", head=[math.nan]))
    config = FigureConfig(kind="layers", name="layers", title="It fades", measure="grad_norm", panels="net")
    picture, table = draw(lab, config, tmp_path)
    with Image.open(picture) as image:
        assert image.info["Title"] == "It fades"
    rows = list(csv.reader(table.open()))
    assert rows[0] == ["net", "layer", "step", "grad_norm"]
    assert len(rows) == 1 + 2 * 3 * 3
    assert rows[1:3] == [["sigmoid", "1", "1", "1e-06"], ["sigmoid", "1", "10", "1e-05"]]
    assert rows[-1] == ["relu", "output", "20", "2.0"]


def test_colours_end_where_nothing_learns(made_up: MadeUp) -> None:
    import numpy as np

    assert _bounds([np.array([0.0, 1e-30]), np.array([50.0, math.inf])]) == (10.0 ** (2 - MAGNITUDES), 100.0)
    assert _bounds([np.array([0.3, 0.02])]) == (0.01, 1.0)
    assert _bounds([np.array([0.0, math.nan])]) == (0.1, 1.0)


def test_the_profile_has_every_layer_and_tells_of_zeros(made_up: MadeUp, tmp_path: Path) -> None:
    lab = made_up({"a": [0.5, 0.5]}, WEIGHTS | recorded("std", body_1=[1.0], body_4=[0.0], head=[3.0]))
    config = FigureConfig(kind="profile", name="profile", title="It shrinks", measure="std", by="net", log=True)
    picture, table = draw(lab, config, tmp_path)
    assert picture.exists()
    assert list(csv.reader(table.open()))[1:] == [["a", "1", "1.0"], ["a", "2", "0.0"], ["a", "output", "3.0"]]
