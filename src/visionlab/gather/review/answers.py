"""`review/review.csv`: the images that a person should look at, with an empty cell for what the person decides."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import get_args

from visionlab.data.alone import alone
from visionlab.errors import UserError
from visionlab.figures.files import save_table
from visionlab.gather import decisions
from visionlab.gather.manifest import Decision
from visionlab.gather.placing import HIDDEN

FOLDER, FILE_NAME = "review", "review.csv"
SEPARATORS = ",;\t"  # spreadsheets write what is usual in their country


@dataclass(frozen=True)
class Question:
    """A line of the table.

    Attributes:
        file: as the manifest names it.
        decision: empty until a person writes keep or drop.
        kind: mislabel or outlier.
        label: its class; the column is called class.
        suggestion: of a mislabel the class that it looks like.
        score: how suspicious it is; the two kinds cannot be compared.
        sheet: the picture that shows it; empty where it is on none.
        page_url, image_url: where it was found.
    """

    file: str
    decision: str
    kind: str
    label: str
    suggestion: str
    score: str
    sheet: str
    page_url: str
    image_url: str


COLUMNS = tuple("class" if field.name == "label" else field.name for field in fields(Question))


def write_questions(root: Path, questions: Sequence[Question]) -> Path:
    """Write the table of the data set in `root`, in the place of the one that is there."""
    return save_table(root / FOLDER / FILE_NAME, COLUMNS, map(astuple, questions))


def at_work(root: Path) -> AbstractContextManager[None]:
    """Hold the lock that every `visionlab gather` in `root` holds."""
    (root / HIDDEN).mkdir(parents=True, exist_ok=True)
    return alone(root / HIDDEN / "lock", f"{root}: another `visionlab gather` is at work in it; waiting for its end")


def take_over(root: Path) -> None:
    """Move what a person has written into the table to `decisions.csv`, below what stands there, and say so.

    The lines move there, so that who thinks better of it later has one place to change it.

    Raises:
        UserError: the table cannot be read, or a decision is neither keep nor drop; then nothing is moved.
    """
    table = root / FOLDER / FILE_NAME
    lines = _read(table)
    if not lines:
        return
    heading = lines[0]
    place, answer = heading.index("file"), heading.index("decision")
    answered: dict[str, Decision] = {}
    left = [heading]
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        said, file = (cells[column].strip() if len(cells) > column else "" for column in (answer, place))
        if not said:
            left.append(cells)
        elif said.lower() in get_args(Decision) and file:
            answered["/".join(PurePosixPath(file).parts[-2:])] = "keep" if said.lower() == "keep" else "drop"
        else:
            what = f"given {said!r} of {file or 'no file'}"
            raise UserError(f"{table}: line {number}: expected keep, drop or nothing as decision, {what}")
    if answered:
        decisions.add_decisions(root, answered)
        save_table(table, left[0], left[1:])
        print(f"{len(answered):,} decisions moved from {table} to {decisions.FILE_NAME}")


def _read(table: Path) -> list[list[str]]:
    """The lines, the columns' names first; nothing where there is no table."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table}: cannot be read: {error}; save it as CSV in UTF-8") from None
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise UserError(f"{table}: cannot be read: {error}; save it as CSV in UTF-8") from None
    if not any(map(any, lines)):
        return []
    if not {"file", "decision"} <= set(lines[0]):
        raise UserError(f"{table}: expected the columns file and decision, found {', '.join(lines[0])!r}")
    return lines
