"""A sheet of images with a few words below each: what the two kinds of sheet share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from visionlab.figures.files import drawing
from visionlab.figures.style import VERMILION, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 24
COLUMNS = 6
TILE, GAP, LINE = 1.1, 0.1, 0.18  # inches
INCH = 72  # points
CHARACTERS = 17  # of a line below an image; where they are wide, fewer
SIZE = 9  # of the letters, in points
DPI = 150


class Tile(NamedTuple):
    """One image of a sheet.

    Attributes:
        pixels: (C, H, W) uint8, one channel or three.
        lines: what stands below it; those that begin with an arrow are mistakes.
    """

    pixels: np.ndarray
    lines: Sequence[str]


def save_sheet(tiles: Sequence[Tile], title: str, file: Path) -> Path:
    """Draw at most MOST images side by side; the file. Without any there is only the title."""
    tiles = tiles[:MOST]
    columns = max(min(COLUMNS, len(tiles)), 4)
    rows = -(-len(tiles) // columns)
    lines = max((len(tile.lines) for tile in tiles), default=0)
    across, down = TILE + GAP, TILE + GAP + lines * LINE
    with drawing(file, title, max(columns * across, 5.5), max(rows, 1) * down + 0.55) as figure:
        axes = figure.add_subplot()
        axes.axis("off")
        axes.set(xlim=(0, columns * across), ylim=(max(rows, 1) * down, 0), aspect="equal", anchor="W")
        for number, tile in enumerate(tiles):
            left, top = number % columns * across, number // columns * down
            _place(axes, tile, left, top)
    return file


def _place(axes: Axes, tile: Tile, left: float, top: float) -> None:
    pixels = tile.pixels.transpose(1, 2, 0)
    height, width = pixels.shape[:2]
    # the longer side fills the tile
    wide, high = TILE * width / max(width, height), TILE * height / max(width, height)
    x, y = left + (TILE - wide) / 2, top + (TILE - high) / 2
    axes.imshow(
        pixels[:, :, 0] if pixels.shape[2] == 1 else pixels,
        extent=(x, x + wide, y + high, y),
        cmap="gray",
        vmin=0,
        vmax=255,
        # small images as the pixels that they are
        interpolation="nearest" if max(width, height) <= TILE * DPI else "antialiased",
    )
    for number, line in enumerate(tile.lines):
        colour = VERMILION if line.startswith("→") else "black"
        axes.text(left, top + TILE + (number + 0.6) * LINE, _fitting(line), fontsize=SIZE, va="center", color=colour)


def _fitting(line: str) -> str:
    """The line, shortened where it would run into that of the next image: digits are wider than most letters."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font, fitting, length = FontProperties(size=SIZE), line, min(len(line), 2 * CHARACTERS)
    while text_to_path.get_text_width_height_descent(fitting, font, ismath=False)[0] > TILE * INCH and length > 1:
        fitting, length = shorten(line, length), length - 1
    return fitting
