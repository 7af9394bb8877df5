"""The table `labels.csv`, which says what the images of a folder show."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePath

from visionlab.data.image_file import SPLIT_NAMES, ImageFile, Split
from visionlab.errors import UserError

# the names that a column may have, the usual one first
COLUMNS = {
    "file": ("file", "path", "filename"),
    "label": ("label", "class"),
    "group": ("group",),
    "split": ("split",),
}
REQUIRED = ("file", "label")
SHOWN = 3  # mistakes told in full


def read_labels(table: Path) -> list[ImageFile]:
    """Read the images that `table` names.

    Its first line names the columns: file (path, filename) and label (class); optional are group (images with the same
    group never part in a split; an empty group is the image by itself) and split (train, val or test). Without a split
    column all are training images. Files are named relative to the table's folder. Separators are commas, semicolons
    or tabs.

    Raises:
        UserError: a column is missing, or lines are wrong: the first few with their numbers.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            files, mistakes = _read(table, list(stream))
    except UnicodeDecodeError as error:
        raise UserError(f"{table}: expected UTF-8, found byte {error.object[error.start]:#x}") from error
    except csv.Error as error:
        raise UserError(f"{table}: not a table of comma-separated values: {error}") from error
    mistakes += _parted_groups(files)
    if mistakes:
        more = f"; and {len(mistakes) - SHOWN} more" if len(mistakes) > SHOWN else ""
        raise UserError(f"{table}: {'; '.join(mistakes[:SHOWN])}{more}")
    return files


def _read(table: Path, lines: list[str]) -> tuple[list[ImageFile], list[str]]:
    header = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(",;\t", key=header.count))
    columns = _columns(table, next(reader, []))
    files: list[ImageFile] = []
    mistakes: list[str] = []
    line_of: dict[str, int] = {}
    for values in reader:
        if not any(value.strip() for value in values):
            continue
        line = reader.line_num
        cells = {name: values[at].strip() if at < len(values) else "" for name, at in columns.items()}
        file, wrong = _file(table.parent, cells)
        if columns.get("group", 0) >= len(values):
            # an image that is no member of its group by mistake could stand on both sides of a split
            wrong.append(f"no group: expected {len(columns)} values or more, found {len(values)}")
        if file.path in line_of:
            wrong.append(f"{file.path} stands on line {line_of[file.path]} already")
        line_of.setdefault(file.path, line)
        mistakes += [f"line {line}: {mistake}" for mistake in wrong]
        files.append(file)
    return files, mistakes


def _columns(table: Path, header: list[str]) -> dict[str, int]:
    """Where each column stands."""
    given = [name.strip().lower() for name in header]
    columns = {}
    for column, names in COLUMNS.items():
        here = [name for name in names if name in given]
        if here:
            columns[column] = given.index(here[0])
        elif column in REQUIRED:
            raise UserError(f"{table}: expected a column {' or '.join(names)}, found {', '.join(given) or 'none'}")
    return columns


def _file(root: Path, cells: dict[str, str]) -> tuple[ImageFile, list[str]]:
    """The image that a line names, and what is wrong with the line."""
    wrong = []
    if not cells["label"]:
        wrong.append("empty label")
    if not cells["file"]:
        wrong.append("empty file name")
    elif not (root / cells["file"]).exists():
        wrong.append(f"no such file: {cells['file']}")
    split: Split = "train"
    if "split" in cells:
        if cells["split"].lower() in SPLIT_NAMES:
            split = SPLIT_NAMES[cells["split"].lower()]
        else:
            wrong.append(f"split: expected train, val or test, given {cells['split']!r}")
    path = PurePath(cells["file"]).as_posix()
    return ImageFile(path, cells["label"], split, cells.get("group") or None), wrong


def _parted_groups(files: list[ImageFile]) -> Iterator[str]:
    """Groups that the split column tears apart."""
    splits: dict[str, Split] = {}
    parted = set()
    for file in files:
        if file.group is not None and splits.setdefault(file.group, file.split) != file.split:
            if file.group not in parted:
                yield f"group {file.group!r} is in {splits[file.group]} and in {file.split}"
            parted.add(file.group)
