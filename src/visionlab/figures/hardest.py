"""The test images that the network is most confidently wrong about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from visionlab.figures.files import save_numbers
from visionlab.figures.sheet import CHARACTERS, MOST, Tile, save_sheet
from visionlab.figures.style import percent, shorten


def hardest(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The indices of at most MOST wrong images, the one with the most confident prediction first.

    Args:
        probabilities: (N, K).
        labels: (N,) true ones.
    """
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")
    chosen: np.ndarray = wrong[order][:MOST]
    return chosen


def save_hardest(
    images: Callable[[np.ndarray], np.ndarray],
    probabilities: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    folder: Path,
) -> list[Path]:
    """Write `hardest.png` and `hardest.json`, with where the images stand in the test split.

    Args:
        images: gives the images (n, C, H, W) uint8 of indices (n,) into the test split.
        probabilities: (N, K), in the order of the split.
        labels: (N,) true ones.
        classes: K names.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    chosen = hardest(probabilities, labels)
    mistakes = int((probabilities.argmax(axis=1) != labels).sum())
    found = []
    tiles = []
    for index, pixels in zip(chosen.tolist(), images(chosen) if len(chosen) else [], strict=True):
        true, predicted = int(labels[index]), int(probabilities[index].argmax())
        confidence = float(probabilities[index, predicted])
        names = shorten(classes[true], CHARACTERS), f"→ {shorten(classes[predicted], CHARACTERS - 2)}"
        tiles.append(Tile(pixels, [*names, f"{_sure(confidence)} sure"]))
        found.append(
            {
                "index": index,
                "true": classes[true],
                "predicted": classes[predicted],
                "confidence": confidence,
                "probability_of_true": float(probabilities[index, true]),
            }
        )
    title = _title(len(chosen), mistakes, len(labels))
    return [
        save_sheet(tiles, title, folder / "hardest.png"),
        save_numbers(folder / "hardest.json", {"images": len(labels), "mistakes": mistakes, "hardest": found}),
    ]


def _sure(confidence: float) -> str:
    return f">{percent(0.99, 0)}" if confidence >= 0.995 else percent(confidence, 0)


def _title(shown: int, mistakes: int, images: int) -> str:
    if not mistakes:
        return f"No mistake: all {images:,} test images are right"
    if shown == mistakes:
        return f"All {mistakes} mistakes in {images:,} test images, the most confident first"
    return f"The {shown} most confident of {mistakes:,} mistakes in {images:,} test images"
