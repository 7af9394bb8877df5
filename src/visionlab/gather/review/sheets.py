"""The suspects as pictures: a few sheets for each kind, the most suspicious first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from visionlab.data.decode import BrokenImageError, decode
from visionlab.figures.sheet import CHARACTERS, MOST, Tile, save_sheet
from visionlab.figures.style import shorten
from visionlab.gather.contact_sheet import PIXELS
from visionlab.gather.review.answers import FOLDER, Question

SHEETS = 10  # of each kind: who has decided about so many images sees the others in the next review
TITLES = {
    "mislabel": "Probable mislabels, and → what they look like",
    "outlier": "Outliers, the farthest from all others first",
}


def sheet_of(kind: str, rank: int) -> str:
    """The name of the sheet that the suspect of this rank, from 0, is on; empty where it is on none."""
    number = rank // MOST + 1
    return f"{kind}s-{number:02}.png" if number <= SHEETS else ""


def save_sheets(root: Path, questions: Sequence[Question]) -> list[Path]:
    """Draw the sheets that `questions` name, in the place of older ones; the files."""
    members: dict[str, list[Question]] = {}
    for question in questions:
        if question.sheet:
            members.setdefault(question.sheet, []).append(question)
    folder = root / FOLDER
    for kind in TITLES:
        for older in folder.glob(f"{kind}s-*.png"):
            if older.name not in members:
                older.unlink()
    ranks = dict.fromkeys(TITLES, 0)
    totals = {kind: sum(question.kind == kind for question in questions) for kind in TITLES}
    files = []
    for name, shown in tqdm(members.items(), desc="sheets", unit="sheet", disable=None):
        kind = shown[0].kind
        first, last = ranks[kind] + 1, ranks[kind] + len(shown)
        ranks[kind] = last
        title = f"{TITLES[kind]}: {first:,} to {last:,} of {totals[kind]:,}"
        tiles = [tile for question in shown if (tile := _tile(root, question)) is not None]
        files.append(save_sheet(tiles, title, folder / name))
    return files


def _tile(root: Path, question: Question) -> Tile | None:
    """None where the file was removed since it was looked at."""
    try:
        pixels = decode(root / question.file, PIXELS, "rgb")
    except BrokenImageError:
        return None
    name, label = PurePosixPath(question.file).stem, shorten(question.label, CHARACTERS - 5)
    if question.kind == "outlier":
        return Tile(pixels, [name, label, f"distance {question.score}"])
    score = f" {question.score}"
    return Tile(pixels, [name, label, f"→ {shorten(question.suggestion, CHARACTERS - 2 - len(score))}{score}"])
