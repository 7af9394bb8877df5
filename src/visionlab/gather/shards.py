"""What was found out of files, kept on disk in shards: NumPy archives without objects, each named when it is whole.

A cache holds one folder, whose name stands for all that its content depends on. Only one process at a time may use it.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

Found = TypeVar("Found")


def make_place(folder: Path) -> None:
    """Make a cache's folder, and remove the others of that cache, and what a process that was killed has half written.

    Raises:
        OSError: the disk fails, or the folder may not be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    for half in folder.glob("*.partial"):
        half.unlink()


def write_shard(folder: Path, keys: Iterable[str], **columns: Any) -> None:
    """Write columns with a row for each key, under a name that stands for the keys. Raises: OSError."""
    listed = list(keys)
    name = hashlib.blake2b("\n".join(listed).encode(), digest_size=8).hexdigest()
    half = folder / f"{name}.partial"
    with half.open("wb") as stream:
        np.savez(stream, key=listed, **columns)
    half.replace(half.with_suffix(".npz"))


def read_shards(folder: Path, read: Callable[[Any], dict[str, Found]]) -> dict[str, Found]:
    """All that the shards hold; a damaged one is removed, and what it held is found out anew.

    Args:
        read: from an open archive to what is in it, by key.
    """
    found: dict[str, Found] = {}
    for file in sorted(folder.glob("*.npz")):
        try:
            with np.load(file) as content:
                found |= read(content)
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            file.unlink()
    return found
