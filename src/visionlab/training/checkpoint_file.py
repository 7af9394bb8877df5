"""Checkpoint files that are whole or not there, each with a hash of itself.

A checkpoint is what `torch.save` writes, a zip archive; the archive's comment holds the SHA-256 of everything before
it. So one rename publishes content and hash together, and other programs read the file as any checkpoint.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from visionlab.errors import UserError

_LABEL = b"sha256:"
_COMMENT_LENGTH = len(_LABEL) + 2 * hashlib.sha256().digest_size
_LENGTH_BYTES = 2  # of the field before the comment, little endian


class DamagedCheckpointError(UserError):
    """A checkpoint file is not as it was written."""


def write(content: dict[str, Any], file: Path) -> None:
    """Replace `file` by a checkpoint of `content`; where that fails, the old file stays as it is.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """
    # in memory first: writing to a full disk, torch.save raises errors that hide what happened
    buffer = io.BytesIO()
    torch.save(content, buffer)
    body = buffer.getbuffer()[:-_LENGTH_BYTES]
    comment = _LABEL + hashlib.sha256(body).hexdigest().encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(body)
            stream.write(len(comment).to_bytes(_LENGTH_BYTES, "little") + comment)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def read(file: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU.

    Raises:
        DamagedCheckpointError: it is not as it was written, or was not written by `write`.
    """
    data = file.read_bytes()
    body, comment = data[: -_COMMENT_LENGTH - _LENGTH_BYTES], data[-_COMMENT_LENGTH:]
    if comment != _LABEL + hashlib.sha256(body).hexdigest().encode():
        raise DamagedCheckpointError(f"{file}: damaged, its content is not what its hash says")
    content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return content


class HashedCheckpointIO(CheckpointIO):
    """Lightning's way to these files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        write(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Callable[..., Any] | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)
