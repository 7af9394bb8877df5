"""How rare classes fare, and what an average over a set that lacks them hides."""

from __future__ import annotations

from visionlab.labs.confusion import confusion, recalls, training_sizes, weighted_accuracy
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained

RARE = 3  # classes


def _rare_recall(run: Trained) -> float | None:
    """Of the classes with the fewest training images."""
    counts = confusion(run)
    if counts is None:
        return None
    rarest = training_sizes(run).argsort(kind="stable")[:RARE]
    return float(recalls(counts)[rarest].mean())


def _long_tailed_accuracy(run: Trained) -> float | None:
    counts = confusion(run)
    return None if counts is None else weighted_accuracy(counts, training_sizes(run))


def _flattery(run: Trained) -> float | None:
    accuracy, balanced = _long_tailed_accuracy(run), run.at_best("recall")
    return None if accuracy is None or balanced is None else accuracy - balanced


MEASURES = {
    "rare_recall": Measure(f"mean recall of the {RARE} rarest classes", _rare_recall, "share"),
    "long_tailed_accuracy": Measure(
        "accuracy where classes are as unequal as in training", _long_tailed_accuracy, "share"
    ),
    "flattery": Measure(
        "accuracy where classes are as unequal as in training, less balanced accuracy", _flattery, "share"
    ),
}
