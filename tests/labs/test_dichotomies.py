"""The best that a line can do is found, and no line does better."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from visionlab.labs.dichotomies import BIASES, WEIGHTS, best_line

SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
XOR, XNOR = (0, 1, 1, 0), (1, 0, 0, 1)


@pytest.mark.parametrize("gate", list(itertools.product((0, 1), repeat=4)))
def test_every_gate_but_two_has_a_line(gate: tuple[int, ...]) -> None:
    labels = np.array(gate)
    line = best_line(SQUARE, labels)
    assert line.right == (0.75 if gate in (XOR, XNOR) else 1)
    assert line.right == ((SQUARE @ line.weights + line.bias > 0) == labels).mean()


@pytest.mark.parametrize("gate", [XOR, XNOR])
def test_of_many_lines_drawn_at_random_none_does_better(gate: tuple[int, ...]) -> None:
    lines = np.random.default_rng(0).normal(size=(100_000, 3))
    says = SQUARE @ lines[:, :2].T + lines[:, 2] > 0
    assert (says == np.array(gate)[:, None]).mean(axis=0).max() == best_line(SQUARE, np.array(gate)).right


def test_of_16_ways_to_class_the_corners_14_are_tried() -> None:
    found = {tuple(SQUARE @ np.array(line[:2]) + line[2] > 0) for line in itertools.product(WEIGHTS, WEIGHTS, BIASES)}
    assert len(found) == 14


@pytest.mark.parametrize("gate", [(0, 1), (1, 0)])
def test_one_input(gate: tuple[int, ...]) -> None:
    assert best_line(np.array([[0.0], [1.0]]), np.array(gate)).right == 1
