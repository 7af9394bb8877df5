"""Training images as the network sees them: augmented, with the labels that it is to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visionlab.figures.files import save_numbers
from visionlab.figures.sheet import CHARACTERS, MOST, Tile, save_sheet
from visionlab.figures.style import percent, shorten

SMALLEST_SHARE = 0.005  # of a mixed label that is shown


def save_augmented(
    images: np.ndarray,
    targets: np.ndarray,
    indices: np.ndarray,
    classes: Sequence[str],
    operations: Mapping[str, Any],
    folder: Path,
) -> list[Path]:
    """Write `augmented.png` and `augmented.json`, with where the images stand in the training split.

    Args:
        images: (n, C, H, W) uint8; at most MOST of them are shown.
        targets: (n,) labels, or (n, K) shares of the classes where images were mixed.
        indices: (n,) into the training split.
        classes: K names.
        operations: settings of the augmentation that is on, by name.
        folder: created if it is not there.

    Returns:
        The two files.
    """
    labels = [_shares(target, classes) for target in targets[:MOST]]
    tiles = [Tile(pixels, _lines(label)) for pixels, label in zip(images[:MOST], labels, strict=True)]
    samples = [{"index": index, "target": label} for index, label in zip(indices[:MOST].tolist(), labels, strict=True)]
    return [
        save_sheet(tiles, _title(operations), folder / "augmented.png"),
        save_numbers(folder / "augmented.json", {"operations": dict(operations), "samples": samples}),
    ]


def _shares(target: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """The classes of one image and the share that each has of it, the greatest first."""
    if target.ndim == 0:
        return {classes[int(target)]: 1.0}
    order = np.argsort(-target, kind="stable")
    return {classes[label]: round(float(target[label]), 4) for label in order if target[label] >= SMALLEST_SHARE}


def _lines(label: Mapping[str, float]) -> list[str]:
    """One line for a whole label; "cat 70 % + dog 30 %" in two for a mixed one."""
    if len(label) == 1:
        return [shorten(next(iter(label)), CHARACTERS)]
    parts = [f"{shorten(name, CHARACTERS - 7)} {percent(share, 0)}" for name, share in label.items()][:2]
    return [parts[0] + " +", parts[1]]


def _title(operations: Mapping[str, Any]) -> str:
    if not operations:
        return "What the network trains on: the images as they are"
    return "What the network trains on: " + ", ".join(f"{name} {_words(value)}" for name, value in operations.items())


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return " to ".join(_words(part) for part in value)
    return str(value)
