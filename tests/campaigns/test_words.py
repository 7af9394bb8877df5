"""Names are short but clear; numbers have the digits and the unit of what they measure."""

from __future__ import annotations

import math

import pytest

from visionlab.campaigns.words import metric, names, pair, rank, setting, value


@pytest.mark.parametrize(
    ("name", "number", "words", "expected"),
    [
        ("val/accuracy", 0.91234, "validation accuracy", "91.23 %"),
        ("val/roc_auc", 0.5, "validation ROC AUC", "50.00 %"),
        ("val/loss", 0.25, "validation loss", "0.2500"),
        ("val/loss", 0.00001234, "validation loss", "1.23e-05"),
        ("val/loss", 0, "validation loss", "0.0000"),
        ("model.parameters", 1234567.0, "parameters", "1,234,567"),
        ("latency_ms", 3.14159, "latency", "3.142 ms"),
        ("training_seconds", 300, "training time", "5 min"),
        ("val/accuracy", math.nan, "validation accuracy", "undefined"),
        ("val/loss", math.inf, "validation loss", "infinite"),
    ],
)
def test_objectives_and_their_values(name: str, number: float, words: str, expected: str) -> None:
    assert metric(name) == words
    assert value(name, number).replace("\N{NO-BREAK SPACE}", " ") == expected


def test_the_unit_of_two_values_is_said_once() -> None:
    assert pair("val/accuracy", 0.9, "±", 0.0123).replace("\N{NO-BREAK SPACE}", " ") == "90.00 ± 1.23 %"
    assert pair("val/loss", 0.9, "to", 1) == "0.9000 to 1.0000"


def test_names_are_as_short_as_they_can_be_told_apart() -> None:
    paths = ["optimizer", "optimizer.lr", "a.b.x", "a.c.x", "b.x", "model.name"]
    assert [*names(paths).values()] == ["optimizer", "lr", "a.b.x", "c.x", "b.x", "model.name"]


def test_settings_as_they_are_typed_with_few_digits() -> None:
    given = [0.123456, 1e-5, 3, True, None, (0.35, 1.0), "cnn"]
    assert [*map(setting, given)] == ["0.1235", "1e-05", "3", "true", "null", "[0.35, 1.0]", "cnn"]
    assert sorted([None, 10, "b", True, 9.5, "a"], key=rank) == [9.5, 10, "a", "b", None, True]
