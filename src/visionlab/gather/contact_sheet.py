"""Samples of a gathered set for a person's eyes: a sheet of what was kept of each class, and one for each reason."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from visionlab.data.decode import BrokenImageError, decode
from visionlab.figures.sheet import MOST, Tile, save_sheet
from visionlab.gather.manifest import Row

FOLDER = "contact_sheets"
PIXELS = 165  # of a side, as many as a sheet shows


def save_contact_sheets(root: Path, rows: Sequence[Row]) -> list[Path]:
    """Draw the sheets of the data set in `root` into its folder `contact_sheets/`, in the place of older ones.

    The images of a sheet are spread evenly over those there are. Below each stands its name, which is what
    `decisions.csv` wants, and what source it is from. A reason whose files are no readable images gets no sheet.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.file:
            name = f"kept, {row.label}" if row.decision == "keep" else f"dropped, {row.reason}"
            groups.setdefault(name, []).append(row)
    aside = root / f".{FOLDER}.part"
    shutil.rmtree(aside, ignore_errors=True)
    names = []
    for name, members in tqdm(groups.items(), desc="contact sheets", unit="sheet", disable=None):
        tiles = _tiles(root, members)
        if tiles:
            shown = "all" if len(tiles) == len(members) else f"{len(tiles)} of"
            title = f"{name[0].upper()}{name[1:]}: {shown} {len(members):,} images"
            names.append(save_sheet(tiles, title, aside / f"{name}.png").name)
    shutil.rmtree(root / FOLDER, ignore_errors=True)
    if names:
        aside.replace(root / FOLDER)
    return [root / FOLDER / name for name in names]


def _tiles(root: Path, rows: Sequence[Row]) -> list[Tile]:
    tiles = []
    step = max(len(rows) / MOST, 1)
    for row in (rows[int(index * step)] for index in range(min(MOST, len(rows)))):
        try:
            pixels = decode(root / row.file, PIXELS, "rgb")
        except BrokenImageError:
            continue
        tiles.append(Tile(pixels, (PurePosixPath(row.file).stem, f"{row.label}, {row.source}")))
    return tiles
