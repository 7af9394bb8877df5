"""What a unit or a network has made of a truth table."""

from __future__ import annotations

from visionlab.labs.measures.measure import Measure
from visionlab.labs.rosenblatt import replay
from visionlab.labs.trained import Trained


def _solved(run: Trained) -> float | None:
    accuracy = run.at_best("accuracy")
    return None if accuracy is None else float(accuracy == 1)


def _mistakes(run: Trained) -> float | None:
    return float(replay(run).mistakes) if run.config.loss.name == "perceptron" else None


MEASURES = {
    "solved": Measure("runs with every point right", _solved, "share"),
    "mistakes": Measure("mistakes in training", _mistakes, "count"),
}
