"""Precision over recall: of each class, how much of what is called so is so, for how much of it is found.

The area is the average precision: precision as a step function of recall, as in scikit-learn. The trapezoids between
the points would flatter it (Davis and Goadrich 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visionlab.figures import ranking
from visionlab.figures.files import drawing, save_table
from visionlab.figures.ranking import Curve, hits_and_alarms
from visionlab.figures.style import GREY, shorten

HEADINGS = ("class", "area", "threshold", "recall", "precision")


def save_precision_recall(
    probabilities: np.ndarray, labels: np.ndarray, classes: Sequence[str], positive: int | None, folder: Path
) -> list[Path]:
    """Write `precision_recall.png` and `precision_recall.csv`.

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
    curves = [precision_recall_curve(classes[label], probabilities[:, label], labels == label) for label in shown]
    picture = folder / "precision_recall.png"
    with drawing(picture, _title(curves), 7.4, 5) as figure:
        if any(curve.defined for curve in curves):
            axes = ranking.draw(figure, curves, _mean(curves), steps=True, corner=(1, 1))
            if positive is not None:
                axes.axhline(float(np.mean(labels == positive)), color=GREY, linewidth=0.9, linestyle=":")
            axes.set_xlabel("recall")
            axes.set_ylabel("precision")
    return [picture, save_table(folder / "precision_recall.csv", HEADINGS, ranking.rows(curves))]


def precision_recall_curve(name: str, scores: np.ndarray, positive: np.ndarray) -> Curve:
    """The curve of one class; not defined where no image is of it.

    Args:
        scores: (N,) probabilities of the class.
        positive: (N,) bool, whether the image is of the class.
    """
    total = int(positive.sum())
    if total == 0:
        return Curve.undefined(name)
    thresholds, hits, alarms = hits_and_alarms(scores, positive)
    precision, recall = hits / (hits + alarms), hits / total
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    # drawn from the axis on
    return Curve(
        name, area, np.append(0, recall), np.append(precision[0], precision), np.append(thresholds[0], thresholds)
    )


def _mean(curves: Sequence[Curve]) -> ranking.Points:
    recalls = np.linspace(0, 1, 501)
    defined = [curve for curve in curves if curve.defined]
    # the precision of the first point that has at least this recall
    precisions = [curve.y[np.searchsorted(curve.x, recalls - 1e-12)] for curve in defined]
    return recalls, np.mean(precisions, axis=0)


def _title(curves: Sequence[Curve]) -> str:
    if not any(curve.defined for curve in curves):
        return "No precision-recall curve: no test image is of a class to be drawn"
    if len(curves) == 1:
        return f"“{shorten(curves[0].name, 24)}” is found with an average precision of {curves[0].area:.4f}"
    return ranking.headline("Mean average precision", curves)
