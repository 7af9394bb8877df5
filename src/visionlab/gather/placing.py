"""Lays out the files of a gathered set in folders that people can look through and `data=folder` can read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionlab.errors import UserError

TRAIN, REJECTED = "train", "rejected"
HIDDEN = ".gather"
FILES = f"{HIDDEN}/files"
PLACED = f"{HIDDEN}/placed.json"


def place(root: Path, wanted: Mapping[str, str]) -> None:
    """Make `train/` and `rejected/` hold exactly what is wanted, as links to the files as they were fetched.

    Each of the two folders is made aside and then takes the place of the old one, so a process that is killed leaves
    no half of one; the next call makes it again.

    Args:
        root: the data set's folder.
        wanted: by path below `root`, in one of the two folders, the SHA-256 of the file.

    Raises:
        UserError: there is a file in the way that was not placed here.
    """
    for name in (TRAIN, REJECTED):
        part = {path: sha256 for path, sha256 in wanted.items() if path.split("/")[0] == name}
        _check_foreign(root, name)
        if _placed(root, name) == part and _files_in(root, name) == set(part):
            continue
        _make(root, name, part)


def removed_by_hand(root: Path) -> list[str]:
    """The files that were placed in `train/` and that somebody has removed since, as class/name."""
    gone = set(_placed(root, TRAIN)) - _files_in(root, TRAIN)
    return sorted("/".join(path.split("/")[1:]) for path in gone)


def _make(root: Path, name: str, part: Mapping[str, str]) -> None:
    aside, old = root / HIDDEN / f"{name}.new", root / HIDDEN / f"{name}.old"
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(parents=True)
    for path, sha256 in part.items():
        target = aside / path.removeprefix(f"{name}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(root / FILES / sha256, target)
    _note(root, name, part, aside)
    if (root / name).exists():
        (root / name).rename(old)
    aside.rename(root / name)
    shutil.rmtree(old, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def _note(root: Path, name: str, part: Mapping[str, str], folder: Path) -> None:
    """Record what a folder is to hold before it gets its name: by its number, as it may not come to that."""
    file, notes = root / PLACED, _notes(root)
    # of the folder that still has the name too, should this process be killed before the other takes its place
    notes[name] = [
        {"inode": folder.stat().st_ino, "files": dict(part)},
        *([{"inode": (root / name).stat().st_ino, "files": _placed(root, name)}] if (root / name).exists() else []),
    ]
    written = file.with_suffix(".part")
    written.write_text(json.dumps(notes))
    written.replace(file)


def _notes(root: Path) -> dict[str, list[dict[str, Any]]]:
    file = root / PLACED
    return json.loads(file.read_text()) if file.exists() else {}


def _placed(root: Path, name: str) -> dict[str, str]:
    """What was placed in the folder as it is now, by path below `root`."""
    if not (root / name).exists():
        return {}
    inode = (root / name).stat().st_ino
    return next((dict(note["files"]) for note in _notes(root).get(name, []) if note["inode"] == inode), {})


def _files_in(root: Path, name: str) -> set[str]:
    return {
        file.relative_to(root).as_posix()
        for file in (root / name).rglob("*")
        if not file.is_dir() and not file.name.startswith(".")
    }


def _check_foreign(root: Path, name: str) -> None:
    # whatever the folder's number: it may be a copy, of another disk
    known = {path for note in _notes(root).get(name, []) for path in note["files"]}
    foreign = sorted(_files_in(root, name) - known)
    if foreign:
        more = f" and {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
        raise UserError(
            f"{root / foreign[0]}{more}: was not put there by `visionlab gather`, which makes {name}/ anew; move your "
            f"own images to a folder of their own and name it: gather.classes.CLASS.folder=…"
        )
