"""Lays out the files of a gathered set in folders that people can look through and `data=folder` can read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from visionlab.errors import UserError

TRAIN, REJECTED = "train", "rejected"
HIDDEN = ".gather"
FILES = f"{HIDDEN}/files"
NAME_DIGITS = 12  # of the SHA-256 that a file's name consists of
PLACED = ".placed"  # in each folder: what was put there when it was made


def place(root: Path, wanted: Mapping[str, str]) -> None:
    """Make `train/` and `rejected/` hold exactly what is wanted, as copies of the files as they were fetched.

    Each of the two folders is made aside and then takes the place of the old one, so a process that is killed leaves
    no half of one; the next call makes it again.

    Args:
        root: the data set's folder.
        wanted: by path below `root`, in one of the two folders, the SHA-256 of the file.

    Raises:
        UserError: there is a file in the way that was not placed here.
    """
    check_places(root)
    for name in (TRAIN, REJECTED):
        part = {path: sha256 for path, sha256 in wanted.items() if path.split("/")[0] == name}
        if _placed(root, name) != part or {path for path, _ in _files_in(root, name)} != set(part):
            _make(root, name, part)


def check_places(root: Path) -> None:
    """Make sure that the two folders hold nothing that would be lost if they were made anew.

    Raises:
        UserError: there is a file of somebody else's, or one that was changed, or a folder is a link.
    """
    for name in (TRAIN, REJECTED):
        if (root / name).is_symlink():
            raise UserError(
                f"{root / name}: expected a folder, found a link; have {root} as a whole on another disk instead"
            )
        known = _placed(root, name)
        foreign = sorted(path for path, file in _files_in(root, name) if not _is_ours(root, file, known.get(path)))
        if foreign:
            more = f" and {len(foreign) - 1:,} more" if len(foreign) > 1 else ""
            raise UserError(
                f"{root / foreign[0]}{more}: was not put there by `visionlab gather`, or was changed since, and "
                f"{name}/ is made anew; move your own images to a folder of their own and name it: "
                "gather.classes.CLASS.folder=…"
            )


def removed_by_hand(root: Path) -> list[str]:
    """The files that were placed in `train/` and that somebody has removed since, as class/name."""
    gone = set(_placed(root, TRAIN)) - {path for path, _ in _files_in(root, TRAIN)}
    return sorted("/".join(path.split("/")[1:]) for path in gone)


def _make(root: Path, name: str, part: Mapping[str, str]) -> None:
    aside, old = root / HIDDEN / f"{name}.new", root / HIDDEN / f"{name}.old"
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(parents=True)
    for path, sha256 in part.items():
        target = aside / path.removeprefix(f"{name}/")
        target.parent.mkdir(parents=True, exist_ok=True)
        # no link: who edits an image in place would change the file that it was made from
        shutil.copy2(root / FILES / sha256, target)
    (aside / PLACED).write_text(json.dumps(dict(part)))
    if (root / name).exists():
        (root / name).rename(old)
    aside.rename(root / name)
    shutil.rmtree(old, ignore_errors=True)


def _placed(root: Path, name: str) -> dict[str, str]:
    """What was placed in a folder, by path below `root`."""
    try:
        return dict(json.loads((root / name / PLACED).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}


def _files_in(root: Path, name: str) -> Iterator[tuple[str, Path]]:
    for file in (root / name).rglob("*"):
        if not file.is_dir() and not file.name.startswith("."):
            yield file.relative_to(root).as_posix(), file


def _is_ours(root: Path, file: Path, sha256: str | None) -> bool:
    """Whether the file is as it was placed: a copy with the time of the original, or what its name says it is."""
    if len(file.stem) != NAME_DIGITS or (sha256 is not None and not sha256.startswith(file.stem)):
        return False
    try:
        if sha256 is not None and _state(file) == _state(root / FILES / sha256):
            return True
    except OSError:
        pass  # there is no original any more: the content decides
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest().startswith(file.stem)
    except OSError:
        return False


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
