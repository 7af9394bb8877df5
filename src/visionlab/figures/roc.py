"""The receiver operating characteristic: of each class against the rest, what is found at what rate of false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visionlab.figures import ranking
from visionlab.figures.files import drawing, save_table
from visionlab.figures.ranking import Curve, hits_and_alarms
from visionlab.figures.style import GREY, shorten

HEADINGS = ("class", "area", "threshold", "false_positive_rate", "true_positive_rate")


def save_roc(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], positive: int | None, folder: Path
) -> list[Path]:
    """Write `roc.png` and `roc.csv`.

    Args:
        probabilities: (N, K).
        labels: (N,) true ones.
        classes: K names.
        positive: of two classes, the label whose curve is drawn.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    shown = range(len(classes)) if positive is None else [positive]
    curves = [roc_curve(classes[label], probabilities[:, label], labels == label) for label in shown]
    picture = folder / "roc.png"
    with drawing(picture, _title(curves), 7.4, 5) as figure:
        if any(curve.defined for curve in curves):
            axes = ranking.draw(figure, curves, _mean(curves), steps=False, corner=(0, 1))
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.9, linestyle=":")
            axes.set_xlabel("false positive rate")
            axes.set_ylabel("true positive rate")
    return [picture, save_table(folder / "roc.csv", HEADINGS, ranking.rows(curves))]


def roc_curve(name: str, scores: np.ndarray, positive: np.ndarray) -> Curve:
    """The curve of one class; not defined where no image is of it, or every one.

    Args:
        scores: (N,) probabilities of the class.
        positive: (N,) bool, whether the image is of the class.
    """
    total = int(positive.sum())
    if total in (0, len(positive)):
        return Curve.undefined(name)
    thresholds, hits, alarms = hits_and_alarms(scores, positive)
    found = np.append(0, hits) / total
    false = np.append(0, alarms) / (len(positive) - total)
    return Curve(name, float(np.trapezoid(found, false)), false, found, np.append(np.inf, thresholds))


def _mean(curves: Sequence[Curve]) -> ranking.Points:
    rates = np.unique(np.concatenate([np.geomspace(1e-4, 1, 200), np.linspace(0, 1, 201)]))
    found = np.mean([np.interp(rates, curve.x, curve.y) for curve in curves if curve.defined], axis=0)
    return np.append(0, rates), np.append(0, found)


def _title(curves: Sequence[Curve]) -> str:
    if not any(curve.defined for curve in curves):
        return "No ROC curve: the test images are all of one class"
    if len(curves) == 1:
        return f"“{shorten(curves[0].name, 24)}” is told from the other class with a ROC AUC of {curves[0].area:.4f}"
    return ranking.headline("Mean ROC AUC", curves)
