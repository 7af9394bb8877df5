"""The confusion matrix as a picture, in counts and in shares of each true class, and as CSV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from visionlab.figures.files import drawing, save_table
from visionlab.figures.style import percent, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NUMBERED = 20  # with more classes the numbers in the cells would overlap
MOST_NAMED = 100
MOST_ABREAST = 12  # with more classes the panels stand one above the other, so that they can be read on a page


def save_confusion(
    confusion: list[list[int]], classes: list[str], folder: Path, stem: str = "confusion_matrix"
) -> list[Path]:
    """Write `<stem>.png` and `<stem>.csv`.

    Args:
        confusion: (K, K) counts, rows are true classes.
        classes: K names.
        folder: created if it is not there.
        stem: where it begins with `validation`, the title says so.

    Returns:
        The two files.
    """
    counts = np.asarray(confusion)
    picture = folder / f"{stem}.png"
    _draw(counts, classes, "validation" if stem.startswith("validation") else "test", picture)
    rows = ([name, *row] for name, row in zip(classes, counts.tolist(), strict=True))
    return [picture, save_table(folder / f"{stem}.csv", ["true \\ predicted", *classes], rows)]


def draw_from_table(table: Path, folder: Path) -> list[Path]:
    """Draw a matrix that a run keeps as `tables/<stem>.json`; the picture and the CSV, of the same stem.

    Args:
        table: columns "true class", "predicted <name>", …; a row for each true class.
    """
    rows = json.loads(table.read_text(encoding="utf-8"))["data"]
    return save_confusion([row[1:] for row in rows], [str(row[0]) for row in rows], folder, table.stem)


def worst_confusion(counts: np.ndarray) -> tuple[int, int, float] | None:
    """The true and the predicted label that are confused most, by the share of the true one; None if none are.

    Args:
        counts: (K, K), rows are true classes.
    """
    shares = _shares(counts)
    np.fill_diagonal(shares, 0)
    true, predicted = np.unravel_index(shares.argmax(), shares.shape)
    worst = float(shares[true, predicted])
    return (int(true), int(predicted), worst) if worst > 0 else None


def _draw(counts: np.ndarray, classes: list[str], split: str, file: Path) -> None:
    size = len(classes)
    side = max(2.6, 0.43 * size) + 1.1 if size <= MOST_NUMBERED else max(9.0, 0.105 * min(size, MOST_NAMED) + 1.2)
    across, down = (2, 1) if size <= MOST_ABREAST else (1, 2)
    right, total = int(np.trace(counts)), int(counts.sum())
    shares = _shares(counts)
    with drawing(file, _title(counts, classes, split), across * side, down * side + 0.5) as figure:
        left, other = figure.subplots(down, across)
        _panel(left, counts / max(float(counts.max()), 1.0), _texts(counts), classes)
        left.set_title(f"{right:,} of {total:,} {split} images right")
        _panel(other, shares, _percents(shares), classes)
        other.set_title(f"accuracy {percent(right / max(total, 1))}; each row in %")


def _title(counts: np.ndarray, classes: list[str], split: str) -> str:
    worst = worst_confusion(counts)
    if worst is None:
        return f"Every one of the {int(counts.sum()):,} {split} images is right"
    true, predicted = (shorten(classes[label], 24) for label in worst[:2])
    what = "Confused most" if split == "test" else "Confused most in validation"
    return f"{what}: {_percent(worst[2])} of “{true}” images are taken for “{predicted}”"


def _panel(axes: Axes, shades: np.ndarray, texts: np.ndarray, classes: list[str]) -> None:
    # by the square root, as mistakes of a few percent would else be as good as white
    shades = np.sqrt(shades)
    axes.imshow(shades, vmin=0, vmax=1, cmap="Blues", aspect="equal")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    _name_ticks(axes, classes)
    axes.spines[:].set_visible(False)
    if len(classes) > MOST_NUMBERED:
        return
    for row, column in zip(*np.nonzero(texts != "0"), strict=True):
        colour = "white" if shades[row, column] > 0.6 else "black"
        text = axes.text(column, row, texts[row, column], ha="center", va="center", color=colour, fontsize=9)
        text.set_in_layout(False)  # measuring each of them takes longer than drawing it


def _name_ticks(axes: Axes, classes: list[str]) -> None:
    step = -(-len(classes) // MOST_NAMED)
    ticks = range(0, len(classes), step)
    names = [shorten(classes[i], 14) for i in ticks]
    if max(map(len, names)) <= 4 and len(names) <= MOST_NUMBERED:  # they fit side by side
        axes.set_xticks(ticks, names)
    elif len(names) <= 50:
        axes.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.set_xticks(ticks, names, rotation=90, ha="right", va="center", rotation_mode="anchor")
    axes.set_yticks(ticks, names)
    axes.tick_params(length=0, labelsize=10 if len(classes) <= MOST_NUMBERED else 8 if len(names) <= 50 else 6)


def _shares(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _texts(counts: np.ndarray) -> np.ndarray:
    texts: np.ndarray = np.vectorize(lambda n: f"{n:,}", otypes=[object])(counts)
    return texts


def _percents(shares: np.ndarray) -> np.ndarray:
    say = np.vectorize(lambda share: "0" if share == 0 else _percent(share)[:-2], otypes=[object])
    texts: np.ndarray = say(shares)
    return texts


def _percent(share: float) -> str:
    """Without decimals; what is not quite none or all is not said to be."""
    text = percent(share, 0)
    if share > 0 and text == percent(0, 0):
        return "<" + percent(0.01, 0)
    return ">" + percent(0.99, 0) if share < 1 and text == percent(1, 0) else text
