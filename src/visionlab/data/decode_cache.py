"""Images decoded once, then memory-mapped."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from visionlab.data.decode import CHANNELS, VERSION, BrokenImageError, Color, decode
from visionlab.data.mapped import MappedImages
from visionlab.errors import UserError

PIXELS, BROKEN, DONE = "pixels.npy", "broken.json", "done.json"
BLOCK = 256  # files decoded between two marks of how far it is: as many at most are decoded twice after a kill


@dataclass(frozen=True)
class Decoded:
    """The images of some files.

    Attributes:
        images: (N, C, H, W) uint8, in the order of the files; they stay in the cache's file until they are used.
        broken: the files that cannot be read, by their place among the N, with the reason. Their images are black.
        identity: of the files: another one where any of them was added, removed or changed.
    """

    images: MappedImages
    broken: dict[int, str]
    identity: str


def decode_once(root: Path, paths: Sequence[str], size: int, color: Color, cache: Path) -> Decoded:
    """Decode the files `paths` of `root`, or map what an earlier call has decoded.

    What was decoded is known by the path, length, time of change and permissions of each file. It replaces what was
    decoded before from the same root to the same size and colour, so that a data set that changes does not fill the
    disk. Of several processes one decodes and the others wait for it. If it is killed, the next one goes on where it
    was.

    Args:
        root: the folder of the data set.
        paths: relative to `root`.
        size: side of the images in pixels.
        color: rgb or grey.
        cache: the folder for what was decoded, of all data sets.

    Raises:
        UserError: the disk fails, or is full, or may not be written to.
    """
    place = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=4).hexdigest()
    series = f"folder-{place}-{size}-{color}"
    identity = _identity(root, paths)
    target = cache / f"{series}-{identity}"
    shape = (len(paths), CHANNELS[color], size, size)
    try:
        decoded = _open(target, shape, identity)
        if decoded is not None:
            return decoded
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{series}.lock"):
            decoded = _open(target, shape, identity)  # of the process that had the lock before
            if decoded is None:
                _replace(cache, series, target, [root / path for path in paths], shape, color, root.name)
                decoded = _open(target, shape, identity)
    except OSError as error:
        raise UserError(
            f"the images of {root} cannot be decoded into {cache} ({math.prod(shape) / 1e6:,.0f} MB): {error}; "
            f"VISIONLAB_DATA names another place"
        ) from error
    assert decoded is not None
    return decoded


def _identity(root: Path, paths: Sequence[str]) -> str:
    """A hash of all that the pixels depend on, as far as it can be known without reading the files."""
    digest = hashlib.blake2b(str(VERSION).encode(), digest_size=8)
    for path in paths:
        try:
            status = (root / path).stat()
            state = f"{status.st_size} {status.st_mtime_ns} {status.st_mode}"
        except OSError:
            state = "missing"
        digest.update(os.fsencode(path) + b"\0" + state.encode() + b"\0")
    return digest.hexdigest()


def _open(target: Path, shape: tuple[int, ...], identity: str) -> Decoded | None:
    """What lies in the folder `target`; None where there is nothing, or not all of it.

    Raises:
        OSError: it is there and may not be read, or this process may not map so much.
    """
    try:
        # for reading only: of memory that could be written to, the system has to have as much as the file is long
        pixels = np.load(target / PIXELS, mmap_mode="r")
        broken = json.loads((target / BROKEN).read_text())
        length = (target / PIXELS).stat().st_size
    except (FileNotFoundError, NotADirectoryError, ValueError, EOFError):
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8 or length != pixels.offset + pixels.nbytes:
        return None
    reasons = {int(index): reason for index, reason in broken.items()}
    return Decoded(MappedImages(np.asarray(pixels)), reasons, identity)


def _replace(
    cache: Path, series: str, target: Path, files: Sequence[Path], shape: tuple[int, ...], color: Color, title: str
) -> None:
    """Decode `files` into the folder `target` in the place of all others of the series; all of it or nothing."""
    staging = target.with_name(f"{target.name}.partial")
    for older in cache.glob(f"{series}*.partial"):
        if older != staging:  # of a process that was killed, and other files than those of now
            shutil.rmtree(older, ignore_errors=True)
    staging.mkdir(exist_ok=True)
    try:
        _write(staging, files, shape, color, title)
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)  # the disk may be full
        raise
    for older in cache.glob(f"{series}-*"):
        if older != staging:
            shutil.rmtree(older, ignore_errors=True)
    staging.replace(target)
    (target / DONE).unlink(missing_ok=True)


def _write(staging: Path, files: Sequence[Path], shape: tuple[int, ...], color: Color, title: str) -> None:
    """Write the images of `files` as one array, and the broken ones with the reasons; go on where a kill stopped it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    size = math.prod(shape[1:])
    done, broken = _done(staging, header.getvalue(), size)
    # written, not mapped: so a full disk is an error that can be told, and not a signal that kills
    with (staging / PIXELS).open("r+b" if done else "wb") as stream:
        stream.write(header.getvalue())
        stream.seek(done * size, os.SEEK_CUR)
        stream.truncate()
        for index, pixels in enumerate(_decode(files, done, shape[-1], color, title), start=done):
            if isinstance(pixels, str):
                broken[index] = pixels
            stream.write(bytes(size) if isinstance(pixels, str) else pixels.tobytes())
            if (index + 1) % BLOCK == 0:
                _sync(stream)
                _save(staging / DONE, {"files": index + 1, "broken": broken})
        _sync(stream)
    _save(staging / BROKEN, broken)


def _done(staging: Path, header: bytes, size: int) -> tuple[int, dict[int, str]]:
    """How many images are in the folder already, and which files were broken; none where that is in doubt."""
    try:
        state = json.loads((staging / DONE).read_text())
        content = (staging / PIXELS).stat().st_size
        with (staging / PIXELS).open("rb") as stream:
            intact = stream.read(len(header)) == header and content >= len(header) + state["files"] * size
    except (OSError, ValueError):
        return 0, {}
    return (state["files"], {int(index): reason for index, reason in state["broken"].items()}) if intact else (0, {})


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _save(file: Path, content: Any) -> None:
    """Write JSON under another name, then rename: after a kill there is the old content or the new."""
    part = file.with_suffix(".part")
    with part.open("w") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)


def _decode(files: Sequence[Path], done: int, size: int, color: Color, title: str) -> Iterator[NDArray[np.uint8] | str]:
    """The pixels (C, size, size) of each file from `done` on, or the reason why there are none; in order."""

    def one(file: Path) -> NDArray[np.uint8] | str:
        try:
            return decode(file, size, color)
        except BrokenImageError as error:
            return str(error)

    progress = tqdm(total=len(files), initial=done, desc=f"decoding {title}", unit="image", disable=None)
    # Pillow lets go of the interpreter's lock; what it warns of, the user need not know
    with progress, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(done, len(files), BLOCK):
            for pixels in pool.map(one, files[start : start + BLOCK]):
                yield pixels
                progress.update()
