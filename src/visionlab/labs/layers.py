"""What the callback of `training/diagnostics` has recorded of a run, by layer.

A layer is a module with a matrix of weights and what follows it up to the next one: normalisation, activation, dropout.
"""

from __future__ import annotations

from collections.abc import Sequence

from visionlab.labs.trained import Point, Trained

PREFIX = "diagnostics/"
OF_WEIGHTS = ("grad_norm", "weight_norm")  # recorded of the matrices; all else is of what modules put out


def by_layer(run: Trained, what: str) -> list[list[Point]]:
    """(step, value) of a number of each layer, from the first layer to the output.

    Of what modules put out it is the last module's of the layer, after its activation.

    Args:
        what: such as grad_norm, std or zeros. What modules put out needs `diagnostics=all`, as the norms tell where a
            layer begins.
    """
    if what in OF_WEIGHTS:
        return [*_curves(run, what).values()]
    beginnings = _curves(run, "weight_norm")
    layers: list[list[Point]] = []
    for name, curve in _curves(run, what).items():
        if name in beginnings:
            layers.append(curve)
        elif layers:
            layers[-1] = curve
    return layers


def layer_names(count: int) -> list[str]:
    """What so many layers are called: numbers, and the last one the output."""
    return [*(str(place + 1) for place in range(count - 1)), "output"]


def at_step(curve: Sequence[Point], step: int) -> float | None:
    """The value at a step; None where none was recorded."""
    return dict(curve).get(step)


def _curves(run: Trained, what: str) -> dict[str, list[Point]]:
    start = f"{PREFIX}{what}/"
    return {name.removeprefix(start): curve for name, curve in run.curves.items() if name.startswith(start)}
