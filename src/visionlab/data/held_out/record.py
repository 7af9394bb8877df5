"""Where a test set came from: .source.json, beside its class folders."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = ".source.json"


@dataclass(frozen=True)
class Record:
    """What is known of a test set.

    Attributes:
        source: kaggle, petimages, or the path that the user gave.
        time: when it was made, ISO 8601.
        archive: the name of the zip file; empty where it was a folder.
        archive_bytes: its size.
        archive_sha256: of it.
        content: identifies labels, names and content of the collection, before anything was left out.
        images: their number, by class.
        left_out: the images that were left out, with the reason.
    """

    source: str
    time: str
    archive: str
    archive_bytes: int
    archive_sha256: str
    content: str
    images: dict[str, int]
    left_out: dict[str, str]

    def write(self, folder: Path) -> None:
        (folder / FILE_NAME).write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")


def read(folder: Path) -> Record | None:
    """The record in a folder; None where there is none, or a damaged one."""
    try:
        return Record(**json.loads((folder / FILE_NAME).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
