"""What a file of a cat-dog collection shows, as its path says, and whether its path may be trusted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from visionlab.data.listing import SUFFIXES
from visionlab.errors import UserError

LABELS = ("cat", "dog")
EXPECTED = "cat.N.jpg and dog.N.jpg, or images in folders cat/ and dog/"
_NUMBERED = re.compile(r"(cat|dog)\.\d+\.\w+", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A labelled image of a collection.

    Attributes:
        path: in the collection, as it is written there.
        label: cat or dog.
        size: in bytes, as the collection says.
    """

    path: str
    label: str
    size: int

    @property
    def target(self) -> str:
        """Its path in the test set."""
        return f"{self.label}/{_parts(self.path)[-1]}"


def is_image(path: str) -> bool:
    """Whether a path names an image, and not what a Mac or Windows leaves beside one."""
    name = _parts(path)[-1:]
    return bool(name) and not name[0].startswith(".") and PurePosixPath(name[0]).suffix.lower() in SUFFIXES


def label_of(path: str) -> str | None:
    """The class of an image: by the folder it lies in, or by its name, in capitals or not; None where neither says.

    Raises:
        UserError: the folder says one thing and the name the other.
    """
    *folders, name = _parts(path)
    by_folder = folders[-1].lower() if folders and folders[-1].lower() in LABELS else None
    match = _NUMBERED.fullmatch(name)
    by_name = match[1].lower() if match else None
    if by_folder and by_name and by_folder != by_name:
        raise UserError(f"{path}: expected one class, given {by_folder} by its folder and {by_name} by its name")
    return by_folder or by_name


def danger(path: str) -> str | None:
    """Why nothing may be unpacked by this path; None where it may."""
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "an absolute path"
    if ".." in _parts(path):
        return "a path that leads out of the archive"
    # would be control sequences where the terminal shows it
    return None if path.isprintable() else "a name with unprintable characters"


def _parts(path: str) -> tuple[str, ...]:
    """Archives that were made on Windows may have backslashes."""
    return PurePosixPath(path.replace("\\", "/")).parts
