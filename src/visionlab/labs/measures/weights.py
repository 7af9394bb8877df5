"""How large the weights are at the end, and what dropout drops."""

from __future__ import annotations

import math
from statistics import fmean

from visionlab.labs import networks
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained


def _norm(run: Trained, order: int) -> float:
    """The L1 or L2 norm of all filters and matrices together."""
    weights = [weight for weight in networks.parameters(run, "last").values() if weight.ndim >= 2]
    return math.pow(sum(float((weight.abs() ** order).sum()) for weight in weights), 1 / order)


def _small(run: Trained) -> float:
    """The share of weights that are next to nothing."""
    weights = [weight for weight in networks.parameters(run, "last").values() if weight.ndim >= 2]
    few = sum(int((weight.abs() < 1e-3).sum()) for weight in weights)
    return few / sum(int(weight.numel()) for weight in weights)


def _dropped(run: Trained, what: str) -> float | None:
    """The mean over all dropout layers and records of the share that was dropped; 0 where nothing drops."""
    found = [
        value for name, curve in run.curves.items() if name.startswith(f"diagnostics/{what}/") for _, value in curve
    ]
    if not found:
        return None if "dropout" not in run.config.model.model_dump() else 0.0
    return fmean(found)


MEASURES = {
    "l1_norm": Measure("L1 norm of the weights", lambda run: _norm(run, 1), "count"),
    "l2_norm": Measure("L2 norm of the weights", lambda run: _norm(run, 2)),
    "small_weights": Measure("weights below 0.001", _small, "share"),
    "dropped": Measure("share of active units dropped in training", lambda run: _dropped(run, "dropped"), "share"),
    "dropped_in_evaluation": Measure(
        "share of active units dropped in evaluation", lambda run: _dropped(run, "dropped_in_evaluation"), "share"
    ),
}
