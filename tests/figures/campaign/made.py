"""Campaigns as they might have come out, made without a run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from visionlab.campaigns.results import Child, Results
from visionlab.config.search import Objective

ACCURACY, LOSS = Objective(), Objective(metric="val/loss", direction="minimize")
PARAMETERS = Objective(metric="model.parameters", direction="minimize")
LATENCY = Objective(metric="latency_ms", direction="minimize")


def make_results(
    kind: str = "tune",
    children: Sequence[Child] = (),
    objectives: Sequence[Objective] = (ACCURACY,),
    total: int | None = None,
    **content: Any,
) -> Results:
    """A campaign called `made` of these children."""
    total = len(children) if total is None else total
    return Results("made", kind, tuple(objectives), total, tuple(children), **content)


def finished(number: int, settings: Mapping[str, Any], *values: float, **content: Any) -> Child:
    """A run with a result, the first try of its own configuration, that took ten seconds."""
    content = {"proposal": number, "run": f"r-{number}", "seconds": 10.0} | content
    return Child(number, "finished", dict(settings), tuple(values), **content)


def make_search(runs: int = 30, objectives: Sequence[Objective] = (ACCURACY,), seed: int = 0) -> Results:
    """A search with settings of all sorts, of which the learning rate matters most; some runs are pruned or failed.

    `optimizer.momentum` is only for sgd, `data.augment.crop` is a list or null.
    """
    random = np.random.default_rng(seed)
    children = []
    for number in range(runs):
        optimizer = ("sgd", "muon")[number % 2]
        settings: dict[str, Any] = {
            "optimizer": optimizer,
            "optimizer.lr": float(10 ** random.uniform(-4, -1)),
            "model.width": int(random.integers(8, 129)),
            "data.augment.flip": bool(random.integers(2)),
            "data.augment.crop": (None, (0.35, 1.0))[int(random.integers(2))],
        }
        if optimizer == "sgd":
            settings["optimizer.momentum"] = float(random.uniform(0, 0.99))
        distance = abs(math.log10(settings["optimizer.lr"]) + 2)
        accuracy = 0.93 - 0.1 * distance**2 + 0.0005 * settings["model.width"] + float(random.normal(0, 0.01))
        curve = tuple((epoch, accuracy - 0.5 / epoch**1.5) for epoch in range(1, 11))
        measured = {
            "val/accuracy": accuracy,
            "val/loss": 2.5 * (1 - accuracy),
            "model.parameters": 9.0 * settings["model.width"] ** 2,
            "latency_ms": 0.5 + settings["model.width"] / 40 + float(random.uniform(0, 1)),
        }
        content: dict[str, Any] = {"proposal": number, "run": f"r-{number}", "seconds": 10.0}
        if number % 7 == 5:
            children.append(Child(number, "pruned", settings, curve=curve[: 1 + number % 4], **content))
        elif number % 11 == 3:
            children.append(Child(number, "failed", settings, reason="CUDA <out> of memory", **content))
        else:
            values = tuple(measured[objective.metric] for objective in objectives)
            children.append(Child(number, "finished", settings, values, curve=curve, **content))
    importance = {"optimizer.lr": 0.71, "model.width": 0.2, "optimizer": 0.05, "optimizer.momentum": 0.04}
    return make_results(
        "tune",
        children,
        objectives,
        importance=importance if runs > 5 else {},
        log=("optimizer.lr",),
        bounds={"optimizer.lr": (1e-4, 0.1), "model.width": (8, 128), "optimizer.momentum": (0.0, 0.99)},
    )


def make_grid(rates: Sequence[float] = (0.001, 0.01, 0.1), widths: Sequence[int] = (16, 32, 64)) -> Results:
    """Every pair of a learning rate and a width; the accuracy is highest at the middle rate and the last width."""
    children = []
    for number, (rate, width) in enumerate(itertools.product(rates, widths)):
        accuracy = 0.9 - 0.1 * abs(math.log10(rate) + 2) + 0.0005 * width
        children.append(finished(number, {"optimizer.lr": rate, "model.width": width}, accuracy))
    return make_results("grid", children, importance={"optimizer.lr": 0.8, "model.width": 0.2})


def make_repeats(values: Sequence[float], kind: str = "repeat", total: int | None = None) -> Results:
    """Seeds or folds, a value for each, with the curves that led to them."""
    path = {"repeat": "seed", "crossval": "data.fold"}[kind]
    children = [
        finished(i, {path: i}, value, curve=tuple((epoch, value - 0.3 / epoch) for epoch in range(1, 6)))
        for i, value in enumerate(values)
    ]
    return make_results(kind, children, total=total)
