"""How gradients and signals fare on their way through the layers, and when a training breaks down."""

from __future__ import annotations

import math
from statistics import median

from visionlab.labs.layers import PREFIX, at_step, by_layer
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained

SKIPPED = "train/skipped_steps"


def _gradient_ratio(run: Trained) -> float | None:
    """In the middle of the recorded steps; those where the output has no gradient say nothing."""
    layers = by_layer(run, "grad_norm")
    if len(layers) < 2:
        return None
    last = dict(layers[-1])
    ratios = [first / last[step] for step, first in layers[0] if last.get(step, 0) > 0]
    finite = [ratio for ratio in ratios if math.isfinite(ratio)]
    return median(finite) if finite else None


def _spread_ratio(run: Trained) -> float | None:
    hidden = by_layer(run, "std")[:-1]
    first, last = (at_step(curve, 1) for curve in (hidden[0], hidden[-1])) if hidden else (None, None)
    return last / first if first and last is not None else None


def _diverged_at(run: Trained) -> float | None:
    """None where it never does. To the step where training or diagnostics are recorded in every step."""
    steps = [
        step
        for name, curve in run.curves.items()
        if name.startswith(("train/", PREFIX))
        for step, value in curve
        if name == SKIPPED or not math.isfinite(value)
    ]
    return float(min(steps)) if steps else None


MEASURES = {
    "gradient_ratio": Measure("gradient norm of the first layer over that of the last", _gradient_ratio, "magnitude"),
    "spread_ratio": Measure(
        "standard deviation of the last hidden layer over that of the first, at step 1", _spread_ratio, "magnitude"
    ),
    "diverged_at": Measure("first step that is not finite", _diverged_at, "count"),
    "diverged": Measure("runs that diverge", lambda run: float(_diverged_at(run) is not None), "share"),
}
