"""Where the files of a crawl lie, by their content."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from visionlab.errors import UserError


class Store:
    """The files of a crawl. One process at a time writes to it.

    Args:
        folder: the .gather of the data set.

    Raises:
        UserError: it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._files, self._partial = folder / "files", folder / "partial"
        self._numbers = itertools.count()
        try:
            shutil.rmtree(self._partial, ignore_errors=True)  # of a process that was killed
            self._files.mkdir(parents=True, exist_ok=True)
            self._partial.mkdir()
        except OSError as error:
            raise cannot_write(folder, error) from error

    def incoming(self) -> Incoming:
        """A file that is about to come in."""
        return Incoming(self._partial / str(next(self._numbers)), self._files)

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by its SHA-256."""
        with os.scandir(self._files) as entries:
            return {entry.name: entry.stat().st_size for entry in entries}


class Incoming:
    """Takes the bytes of a file, which gets its name when it is complete.

    Attributes:
        bytes: so far.
    """

    def __init__(self, file: Path, target: Path) -> None:
        self.bytes = 0
        self._file, self._target = file, target
        self._digest = hashlib.sha256()
        self._stream: BinaryIO | None = None

    def write(self, data: bytes, /) -> None:
        try:
            if self._stream is None:
                self._stream = self._file.open("wb")
            self._stream.write(data)
        except OSError as error:
            raise cannot_write(self._target, error) from error
        self._digest.update(data)
        self.bytes += len(data)

    def keep(self) -> str:
        """Put the file in its place, where the same one may lie already. Its SHA-256.

        One of that name with other bytes, as a power failure may leave it, is replaced; its links keep what they have.
        """
        if self._stream is None:
            self.write(b"")
        assert self._stream is not None
        name = self._digest.hexdigest()
        try:
            self._stream.close()
            if not self._is_there(self._target / name):
                self._file.replace(self._target / name)
                self._stream = None
        except OSError as error:
            raise cannot_write(self._target, error) from error
        return name

    def _is_there(self, target: Path) -> bool:
        try:
            return target.stat().st_size == self.bytes
        except FileNotFoundError:
            return False

    def drop(self) -> None:
        """Remove what is not in its place."""
        if self._stream is not None:
            with contextlib.suppress(OSError):  # a full disk, which has been told of
                self._stream.close()
            self._file.unlink(missing_ok=True)


def cannot_write(folder: Path, error: OSError) -> UserError:
    return UserError(f"images cannot be written to {folder}: {error}; VISIONLAB_DATA names another place")
