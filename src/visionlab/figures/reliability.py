"""The reliability diagram: how often the network is right, by how sure it is (Guo et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import BLUE, PALE, VERMILION, percent

BINS = 15
WELL_CALIBRATED = 0.015  # below this error the title names no direction
HEADINGS = ("confidence_from", "confidence_to", "images", "mean_confidence", "accuracy")


@dataclass(frozen=True)
class Calibration:
    """Test images in bins by the confidence in the predicted class.

    Attributes:
        edges: (BINS + 1,), from 0 to 1.
        counts: (BINS + 1,) images: a bin begins at its edge and ends below the next; the last holds those of
            confidence 1 alone, as in torchmetrics.
        confidence, accuracy: (BINS + 1,) means of the bins' images, 0 where there are none.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean distance of confidence and accuracy, by image."""
        return self._mean(abs(self.confidence - self.accuracy))

    @property
    def excess(self) -> float:
        """By how much the mean confidence is above the accuracy."""
        return self._mean(self.confidence - self.accuracy)

    def _mean(self, values: np.ndarray) -> float:
        return float((values * self.counts).sum() / max(self.counts.sum(), 1))


def calibration(probabilities: np.ndarray, labels: np.ndarray) -> Calibration:
    """Sort predictions (N, K) of images with true labels (N,) into bins."""
    confidences = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1, dtype=confidences.dtype)
    bins = np.searchsorted(edges, confidences, side="right") - 1
    counts = np.bincount(bins, minlength=BINS + 1)
    confidence, accuracy = (
        np.bincount(bins, weights=values, minlength=BINS + 1) / np.maximum(counts, 1) for values in (confidences, right)
    )
    return Calibration(edges, counts, confidence, accuracy)


def save_reliability(probabilities: np.ndarray, labels: np.ndarray, folder: Path) -> list[Path]:
    """Write `reliability.png` and `reliability.csv`.

    Args:
        probabilities: (N, K).
        labels: (N,) true ones.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    found = calibration(probabilities, labels)
    picture = folder / "reliability.png"
    with drawing(picture, _title(found), 5.6, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        left, width = found.edges[:-1], 1 / BINS
        counts, confidence, accuracy = _of_bins_drawn(found)
        seen = counts > 0
        upper.bar(left[seen], accuracy[seen], width, align="edge", color=BLUE, edgecolor="white", label="accuracy")
        upper.hlines(
            confidence[seen], left[seen], left[seen] + width, color=VERMILION, linewidth=3, label="mean confidence"
        )
        upper.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="as right as it is sure")
        upper.set(ylim=(0, 1.02), xlim=(0, 1), ylabel="accuracy")
        lower.bar(left, counts / max(counts.sum(), 1), width, align="edge", color=PALE, edgecolor="white")
        lower.set(ylabel="share", xlabel="confidence in the predicted class")
        figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
    rows = zip(
        [f"{edge:.4f}" for edge in found.edges],
        [f"{edge:.4f}" for edge in (*found.edges[1:], 1.0)],
        found.counts.tolist(),
        *(
            [f"{value:.6f}" if n else "" for value, n in zip(values, found.counts, strict=True)]
            for values in (found.confidence, found.accuracy)
        ),
        strict=True,
    )
    return [picture, save_table(folder / "reliability.csv", HEADINGS, rows)]


def _of_bins_drawn(found: Calibration) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, confidence and accuracy (BINS,), with the images of confidence 1 in the last bin."""
    counts = found.counts[:-1].copy()
    counts[-1] += found.counts[-1]

    def joined(means: np.ndarray) -> np.ndarray:
        sums = means * found.counts
        sums[-2] += sums[-1]
        return np.asarray(sums[:-1] / np.maximum(counts, 1))

    return counts, joined(found.confidence), joined(found.accuracy)


def _title(found: Calibration) -> str:
    if found.error < WELL_CALIBRATED:
        return f"Well calibrated: ECE {percent(found.error)}"
    if abs(found.excess) < found.error / 2:
        return f"Overconfident in places, underconfident in others: ECE {percent(found.error)}"
    return f"{'Overconfident' if found.excess > 0 else 'Underconfident'}: ECE {percent(found.error)}"
