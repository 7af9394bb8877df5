"""Images decoded once, then memory-mapped."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from visionlab.data.decode import CHANNELS, VERSION, BrokenImageError, Color, decode
from visionlab.errors import UserError

PIXELS, BROKEN = "pixels.npy", "broken.json"
BLOCK = 256  # files handed to the threads at a time: bounds the memory for what is decoded but not yet written


@dataclass(frozen=True)
class Decoded:
    """The images of some files.

    Attributes:
        images: (N, C, H, W) uint8, in the order of the files. The memory is the file system's: pages are read when
            they are used, and what is written to the tensor goes to a private copy, never to the file.
        broken: the files that cannot be read, by their place among the N, with the reason. Their images are black.
    """

    images: Tensor
    broken: dict[int, str]


def decode_once(root: Path, paths: Sequence[str], size: int, color: Color, cache: Path) -> Decoded:
    """Decode the files `paths` of `root`, or map what an earlier call has decoded.

    What was decoded is known by the path, length, time of change and permissions of each file. It replaces what was
    decoded before from the same root to the same size and colour, so that a data set that changes does not fill the
    disk. Of several processes one decodes and the others wait for it.

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
    target = cache / f"{series}-{_identity(root, paths)}"
    shape = (len(paths), CHANNELS[color], size, size)
    decoded = _open(target, shape)
    if decoded is not None:
        return decoded
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{series}.lock"):
            decoded = _open(target, shape)  # of the process that had the lock before
            if decoded is None:
                _replace(cache, series, target, [root / path for path in paths], shape, color, root.name)
                decoded = _open(target, shape)
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


def _open(target: Path, shape: tuple[int, ...]) -> Decoded | None:
    """What lies in the folder `target`; None where there is nothing, or not all of it."""
    try:
        # copy-on-write, as torch takes only memory that may be written to
        pixels = np.load(target / PIXELS, mmap_mode="c")
        broken = json.loads((target / BROKEN).read_text())
        length = (target / PIXELS).stat().st_size
    except (OSError, ValueError, EOFError):
        return None
    if pixels.shape != shape or pixels.dtype != np.uint8 or length != pixels.offset + pixels.nbytes:
        return None
    return Decoded(torch.from_numpy(pixels), {int(index): reason for index, reason in broken.items()})


def _replace(
    cache: Path, series: str, target: Path, files: Sequence[Path], shape: tuple[int, ...], color: Color, title: str
) -> None:
    """Decode `files` into the folder `target` in the place of all others of the series; all of it or nothing."""
    staging = cache / f"{series}.partial"
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    try:
        broken = _write(staging / PIXELS, files, shape, color, title)
        (staging / BROKEN).write_text(json.dumps(broken))
        for older in cache.glob(f"{series}-*"):
            shutil.rmtree(older, ignore_errors=True)
        staging.replace(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(file: Path, files: Sequence[Path], shape: tuple[int, ...], color: Color, title: str) -> dict[int, str]:
    """Write the images of `files` as one array; the broken ones and the reasons."""
    broken: dict[int, str] = {}
    black = np.zeros(shape[1:], np.uint8)
    # written, not mapped: so a full disk is an error that can be told, and not a signal that kills
    with file.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for index, pixels in enumerate(_decode(files, shape[-1], color, title)):
            if isinstance(pixels, str):
                broken[index] = pixels
                pixels = black
            stream.write(pixels.tobytes())
        stream.flush()
        os.fsync(stream.fileno())
    return broken


def _decode(files: Sequence[Path], size: int, color: Color, title: str) -> Iterator[NDArray[np.uint8] | str]:
    """The pixels (C, size, size) of each file, or the reason why there are none; in order."""

    def one(file: Path) -> NDArray[np.uint8] | str:
        try:
            return decode(file, size, color)
        except BrokenImageError as error:
            return str(error)

    progress = tqdm(total=len(files), desc=f"decoding {title}", unit="image", disable=None)
    # Pillow lets go of the interpreter's lock; what it warns of, the user need not know
    with progress, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(files), BLOCK):
            for pixels in pool.map(one, files[start : start + BLOCK]):
                yield pixels
                progress.update()
