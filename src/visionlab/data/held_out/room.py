"""Room on a disk, asked for before it is used."""

from __future__ import annotations

import shutil
from pathlib import Path

from visionlab.errors import UserError

MARGIN = 100_000_000  # bytes that are left to others


def need_room(folder: Path, size: int) -> None:
    """Raise UserError unless the disk of `folder`, which exists, takes `size` more bytes."""
    free = shutil.disk_usage(folder).free
    if free < size + MARGIN:
        raise UserError(
            f"{folder}: expected {(size + MARGIN) / 1e6:,.0f} MB of free disk, found {free / 1e6:,.0f} MB; "
            f"free some or name another place by --into"
        )
