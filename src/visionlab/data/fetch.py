"""Bring a data set onto this machine: unpack the archive that lies there, or download it, in one process at a time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from visionlab.data.alone import alone
from visionlab.data.archive import Archive
from visionlab.data.download import DownloadError, download, say
from visionlab.errors import DataUnavailableError


def fetch(archive: Archive, urls: Sequence[str], root: Path) -> Path:
    """Give the data set's folder in `root`; make it from the archive in `root`, or from a download, if need be.

    The folder gets its name when it is complete. So a process that dies on the way leaves nothing that could be taken
    for the data set, and of several processes that start together one works and the others wait for it.

    Args:
        archive: the data set.
        urls: where the archive is to be had, in the order to try.
        root: the folder that holds the data sets.

    Raises:
        DataUnavailableError: there is no way to get it. Says what was tried and what the user can do.
    """
    folder = root / archive.folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = root / f".{archive.folder}.lock"
        with alone(lock, f"{archive.title}: waiting for another process that is fetching it into {root}"):
            if not folder.exists():
                _make(archive, urls, root)
    except OSError as error:
        message = f"{archive.title} cannot be written to {root}: {error}.\n{_advice(archive)}"
        raise DataUnavailableError(message) from error
    archive.check_sizes(folder)
    return folder


def _make(archive: Archive, urls: Sequence[str], root: Path) -> None:
    """Unpack beside the final place, on the same disk, then rename."""
    staging = root / f".{archive.folder}.partial"
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    staging.mkdir()
    try:
        tar = root / archive.filename
        if not archive.is_published(tar):
            tar = _downloaded(archive, urls, root, staging)
        archive.unpack(tar, staging)
        (staging / archive.folder).replace(root / archive.folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _downloaded(archive: Archive, urls: Sequence[str], root: Path, staging: Path) -> Path:
    found = f"{archive.title} is not in {root}"
    if (root / archive.filename).exists():
        found += f" ({archive.filename} is there, but it is not the published file: size or MD5 differ)"
    say(f"{found}: fetching {archive.size / 1e6:.1f} MB")
    try:
        return download(archive, urls, staging)
    except DownloadError as error:
        raise DataUnavailableError(f"{found} and no address delivers it: {error}.\n{_advice(archive)}") from error


def _advice(archive: Archive) -> str:
    return (
        f"Put {archive.filename} or its unpacked folder {archive.folder} there, or set VISIONLAB_DATA to the folder "
        f"that holds one of them; data.urls adds addresses."
    )
