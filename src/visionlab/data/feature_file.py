"""Features in a file that any number of processes fill together, and that outlives each of them.

    header of the array | V x N x F numbers of 32 bits | a digest of each block

A block is some images of one view. Until all blocks are there, the file has another name. A process takes a block by a
lock on the byte of its number, which the system releases however the process ends, and writes the digest when the block
is written: so what one has computed, no other one does, and after a kill the next one goes on with what is missing.
Where locks exclude nobody, as between threads of a process or on network disks without them, blocks are computed more
than once, and nothing else is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

Features = NDArray[np.float32]  # (V, N, F): of V views of N images, mapped from a file

BLOCK = 256  # images: as many at most are computed twice after a kill
KEPT = 16  # files: of more, those that were not used for longest are removed
ABANDONED = 7 * 86_400  # seconds without a further block after which an incomplete file is removed
PAUSE = 0.1  # seconds between two looks at what other processes have under way
_DIGEST = 16
_MISSING = bytes(_DIGEST)


class Block(NamedTuple):
    """Images `start` to `stop` of a view."""

    number: int
    view: int
    start: int
    stop: int


class FeatureFile:
    """Where the features of some images are, or will be.

    Args:
        folder: of all such files.
        identity: of all that the features depend on.
        shape: (V, N, F).
    """

    def __init__(self, folder: Path, identity: str, shape: tuple[int, int, int]) -> None:
        self.path = folder / f"features-{identity}.npy"
        self._folder, self._shape = folder, shape
        self._partial = self.path.with_suffix(".partial")
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        self._header = header.getvalue()
        views, images, self._width = shape
        starts = [(view, start) for view in range(views) for start in range(0, images, BLOCK)]
        self.blocks = [Block(k, view, start, min(start + BLOCK, images)) for k, (view, start) in enumerate(starts)]
        self._digests = len(self._header) + 4 * math.prod(shape)  # where they begin
        self._length = self._digests + _DIGEST * len(self.blocks)

    def open(self) -> Features | None:
        """The whole array, mapped for reading; None where it is not there.

        Raises:
            OSError: it is there and may not be read.
        """
        try:
            if self.path.stat().st_size != self._length:
                return None
            found = np.load(self.path, mmap_mode="r")
        except (FileNotFoundError, ValueError, EOFError):
            return None
        if found.shape != self._shape or found.dtype != np.float32:
            return None
        with contextlib.suppress(OSError):  # the file may be another user's
            os.utime(self.path)  # used now
        return np.asarray(found)

    def fill(self, compute: Callable[[Block], Features], report: Callable[[int, bool], None]) -> Features:
        """The whole array; what is missing of it is computed here, and by all other processes that do the same now.

        Args:
            compute: gives the features (stop - start, F) of a block.
            report: is told how many images are done, by whomever, whenever that may have changed; and whether this call
                has begun to compute.

        Raises:
            OSError: the disk is full, fails, or may not be written to.
        """
        found = self.open()
        if found is not None:
            return found
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            found = self.open()  # of a process that was done just now
            if found is not None:
                return found
            file = self._begin()
        try:
            while True:
                self._work(file, compute, report)
                with self._alone():
                    if self._conclude(file):
                        break
        finally:
            os.close(file)  # with all its locks
        found = self.open()
        if found is None:
            raise FileNotFoundError(f"{self.path} was removed by somebody")
        return found

    def _alone(self) -> FileLock:
        return FileLock(self._folder / "features.lock")

    def _begin(self) -> int:
        """Open the incomplete file, with what is in it already, or a new one."""
        file = os.open(self._partial, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if os.fstat(file).st_size != self._length or os.pread(file, len(self._header), 0) != self._header:
                os.ftruncate(file, 0)
                os.ftruncate(file, self._length)  # zeros, which take no room on the disk yet
                os.pwrite(file, self._header, 0)
        except BaseException:
            os.close(file)
            raise
        return file

    def _work(self, file: int, compute: Callable[[Block], Features], report: Callable[[int, bool], None]) -> None:
        """Compute blocks that are missing and that no other process has under way, until none is missing."""
        images = self._shape[0] * self._shape[1]
        begun = False
        while missing := self._missing(file):
            report(images - _count(missing), begun)
            idle = True
            for block in missing:
                if not _take(file, block):
                    continue
                try:
                    if self._digest(file, block) == _MISSING:
                        # written, not mapped: so a full disk is an error that can be told, and not a signal that kills
                        content = np.ascontiguousarray(compute(block), dtype="<f4").tobytes()
                        _write(file, content, self._offset(block))
                        _write(file, _digest_of(content), self._place_of_digest(block))
                        begun, idle = True, False
                        report(images - _count(self._missing(file)), begun)
                finally:
                    fcntl.lockf(file, fcntl.LOCK_UN, 1, block.number)
            if idle:
                time.sleep(PAUSE)
        report(images, True)

    def _missing(self, file: int) -> list[Block]:
        digests = os.pread(file, self._length - self._digests, self._digests)
        return [b for b in self.blocks if digests[_DIGEST * b.number : _DIGEST * (b.number + 1)] == _MISSING]

    def _conclude(self, file: int) -> bool:
        """Give the complete file its name; False where a block turns out not to be as it was written."""
        if not self._has_name(file):
            return True  # another process was faster, or somebody has removed it
        intact = True
        for block in self.blocks:
            content = os.pread(file, 4 * self._width * (block.stop - block.start), self._offset(block))
            # blocks are not synced one by one: after a loss of power there may be a digest without its block
            if _digest_of(content) != self._digest(file, block):
                _write(file, _MISSING, self._place_of_digest(block))
                intact = False
        if intact:
            os.fsync(file)
            self._partial.replace(self.path)
            self._remove_others()
        return intact

    def _has_name(self, file: int) -> bool:
        """Whether the file is the incomplete one that others find: one that was removed may have a successor."""
        try:
            return os.path.samestat(os.fstat(file), self._partial.stat())
        except FileNotFoundError:
            return False

    def _digest(self, file: int, block: Block) -> bytes:
        return os.pread(file, _DIGEST, self._place_of_digest(block))

    def _offset(self, block: Block) -> int:
        return len(self._header) + 4 * self._width * (block.view * self._shape[1] + block.start)

    def _place_of_digest(self, block: Block) -> int:
        return self._digests + _DIGEST * block.number

    def _remove_others(self) -> None:
        """What has not been used for long. What a process has mapped stays readable for it."""
        files = sorted(self._folder.glob("features-*"), key=lambda file: file.stat().st_mtime)
        for number, file in enumerate(reversed(files)):
            is_abandoned = file.suffix != ".npy" and time.time() - file.stat().st_mtime > ABANDONED
            if number >= KEPT or is_abandoned:
                file.unlink(missing_ok=True)


def _count(blocks: list[Block]) -> int:
    """Images in them."""
    return sum(block.stop - block.start for block in blocks)


def _take(file: int, block: Block) -> bool:
    """Lock a block, unless another process has it."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, block.number)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _digest_of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST).digest()


def _write(file: int, content: bytes, offset: int) -> None:
    """All of it: of a nearly full disk the system may take a part only, before it says so."""
    while content:
        written = os.pwrite(file, content, offset)
        content, offset = content[written:], offset + written
