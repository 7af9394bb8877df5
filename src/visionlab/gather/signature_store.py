"""Inspections kept on disk, so that an image is decoded once in the life of a data set.

They lie in shards of some hundred, in a folder whose name stands for the version and the settings.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from visionlab.config.gather import AcceptConfig
from visionlab.data import decode
from visionlab.errors import UserError
from visionlab.gather import inspection
from visionlab.gather.inspection import Inspection, Unfit, inspect, look
from visionlab.gather.shards import make_place, read_shards, write_shard
from visionlab.gather.signature import COLUMNS, THUMBNAIL, Signature

SHARD = 256  # files; what is inspected anew at most after the process was killed

# an image, or the reason why the file is not kept
Outcome = Inspection | str


def key_of(file: Path) -> str:
    """A key that changes with the content, without reading it: of path, size and time of change.

    Raises:
        OSError: the file is missing.
    """
    status = file.stat()
    state = f"{status.st_size} {status.st_mtime_ns} ".encode() + os.fsencode(file.absolute())
    return hashlib.blake2b(state, digest_size=16).hexdigest()


def inspect_all(
    files: Sequence[Path], keys: Sequence[str], cache: Path, accept: AcceptConfig | None, title: str
) -> list[Outcome]:
    """Inspect files, or read what an earlier call has found.

    What other settings of `accept` have left in the cache is removed. So a folder that is judged by other settings
    needs a cache of its own.

    Args:
        files: to be inspected.
        keys: of the content of each file; files with the same key are inspected once.
        cache: a folder for nothing else. Only one process at a time may use it.
        accept: what an image must be like; None: it counts whatever it is like, if only it can be decoded.
        title: of the progress bar.

    Returns:
        For each file, in order, its inspection, or the reason of `Unfit`.

    Raises:
        UserError: a file cannot be read, or the cache not be written.
    """
    folder = cache / _identity(accept)
    try:
        make_place(folder)
        known = read_shards(folder, _outcomes)
        missing = {key: file for file, key in zip(files, keys, strict=True) if key not in known}
        known |= _inspect(list(missing), list(missing.values()), folder, accept, title)
    except OSError as error:
        raise UserError(
            f"the images cannot be inspected: {error.filename or folder}: {error.strerror or error}; what was "
            f"inspected before is kept in {cache}"
        ) from error
    return [known[key] for key in keys]


def _identity(accept: AcceptConfig | None) -> str:
    wanted = "anything" if accept is None else accept.model_dump_json()
    state = f"{inspection.VERSION} {decode.VERSION} {COLUMNS} {wanted}"
    return hashlib.blake2b(state.encode(), digest_size=8).hexdigest()


def _inspect(
    keys: Sequence[str], files: Sequence[Path], folder: Path, accept: AcceptConfig | None, title: str
) -> dict[str, Outcome]:
    def one(file: Path) -> Outcome:
        try:
            return look(file) if accept is None else inspect(file, accept)
        except Unfit as unfit:
            return str(unfit)

    found: dict[str, Outcome] = {}
    progress = tqdm(total=len(files), desc=f"inspecting {title}", unit="image", disable=None)
    # Pillow lets go of the interpreter's lock; what it warns of, the user need not know
    with progress, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(files), SHARD):
            outcomes = {}
            block = slice(start, start + SHARD)
            for key, outcome in zip(keys[block], pool.map(one, files[block]), strict=True):
                outcomes[key] = outcome
                progress.update()
            _write(folder, outcomes)
            found |= outcomes
    return found


def _write(folder: Path, outcomes: dict[str, Outcome]) -> None:
    nothing = Inspection(
        0, 0, "", "", Signature(np.zeros(len(COLUMNS), np.uint64), np.zeros((THUMBNAIL, THUMBNAIL, 3), np.uint8))
    )
    images = [nothing if isinstance(outcome, str) else outcome for outcome in outcomes.values()]
    write_shard(
        folder,
        outcomes,
        reason=[outcome if isinstance(outcome, str) else "" for outcome in outcomes.values()],
        width=[image.width for image in images],
        height=[image.height for image in images],
        format=[image.format for image in images],
        pixel_hash=[image.pixel_hash for image in images],
        hashes=np.stack([image.signature.hashes for image in images]),
        thumbnail=np.stack([image.signature.thumbnail for image in images]),
    )


def _outcomes(content: Any) -> dict[str, Outcome]:
    texts = [content[name].tolist() for name in ("key", "reason", "width", "height", "format", "pixel_hash")]
    rows = zip(*texts, content["hashes"], content["thumbnail"], strict=True)
    return {
        key: reason or Inspection(width, height, kind, digest, Signature(hashes, thumbnail))
        for key, reason, width, height, kind, digest, hashes, thumbnail in rows
    }
