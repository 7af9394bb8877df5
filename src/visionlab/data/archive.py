"""A data set that is published as one compressed tar file: what belongs to it, whether it is all there, unpacking."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from visionlab.errors import DamagedDataError, DataUnavailableError


@dataclass(frozen=True)
class Member:
    """A file of the unpacked data set: its size in bytes and its MD5."""

    size: int
    md5: str


@dataclass(frozen=True)
class Archive:
    """A data set in the form its authors publish it.

    Attributes:
        title: what users call it.
        filename: the tar file's name.
        size: of the tar file, in bytes.
        md5: of the tar file.
        folder: the folder that the tar file unpacks to.
        members: the files in that folder which are used, by name.
    """

    title: str
    filename: str
    size: int
    md5: str
    folder: str
    members: Mapping[str, Member]

    def check_sizes(self, folder: Path) -> None:
        """Raise DamagedDataError unless every file is in `folder` and has the right size. Takes no time."""
        faults = []
        for name, member in self.members.items():
            path = folder / name
            if not path.is_file():
                faults.append(f"{name} is missing")
            elif path.stat().st_size != member.size:
                faults.append(f"{name} has {path.stat().st_size} bytes instead of {member.size}")
        self._raise(folder, faults)

    def check_content(self, folder: Path) -> None:
        """Raise DamagedDataError unless every file in `folder` has the right MD5. Takes 2 s a gigabyte."""
        self.check_sizes(folder)
        wrong = [name for name, member in self.members.items() if _md5(folder / name) != member.md5]
        self._raise(folder, [f"{name} has another content than the published one (MD5)" for name in wrong])

    def is_published(self, tar: Path) -> bool:
        """Whether `tar` is the very file that the authors publish."""
        return tar.is_file() and tar.stat().st_size == self.size and _md5(tar) == self.md5

    def unpack(self, tar: Path, into: Path) -> None:
        """Unpack `tar` into the folder `into`; refuse it if it would write or link to anywhere else."""
        try:
            with tarfile.open(tar) as file:
                file.extractall(into, filter="data")
        except tarfile.TarError as error:
            raise DataUnavailableError(f"{self.title}: {tar} cannot be unpacked: {error}") from error

    def _raise(self, folder: Path, faults: list[str]) -> None:
        if faults:
            raise DamagedDataError(
                f"{self.title}: {folder} is damaged: {', '.join(faults)}.\n"
                f"Delete that folder and start again: it is then made anew from {self.filename} or from a download."
            )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
