"""The test set as a folder: made as a whole, in one process at a time, and never changed afterwards."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from visionlab.data.alone import alone
from visionlab.data.decode import BrokenImageError, decode
from visionlab.data.held_out import record
from visionlab.data.held_out.collection import Collection, UnreadableError, opened
from visionlab.data.held_out.layout import LABELS, Entry
from visionlab.data.held_out.record import Record
from visionlab.data.held_out.room import need_room
from visionlab.errors import UserError

BLOCK = 256  # images handed to the threads at a time: bounds what is still to be done when the user stops it
SIDE = 256  # pixels that an image is decoded to; one that can be read at one size can be read at all

REMOTE = ("kaggle", "petimages")
# gives the path of a collection; may put it into the folder that it is given, which is kept until the set is complete
Obtain = Callable[[Path], Path]


def make(into: Path, source: str, obtain: Obtain) -> tuple[Record, bool]:
    """Bring the test set into the folder `into`, unless it is there.

    It gets its name when it is complete. So a process that dies on the way leaves nothing that could be taken for it,
    and a later one begins anew, but for what was downloaded.

    Args:
        into: missing or empty, or made by an earlier call.
        source: kaggle, petimages, or the path of a collection on this machine.
        obtain: where the collection comes from; not called if the set is there and of that source.

    Returns:
        What is there now, and whether this call has made it.

    Raises:
        UserError: there is something else already, or no collection; or the disk is full, or may not be written to.
    """
    into = into.expanduser().resolve()  # a link to an empty folder of another disk has to stay one
    try:
        work = into.with_name(f".{into.name}")
        work.mkdir(parents=True, exist_ok=True)
        with alone(work / "lock", f"waiting for another process that brings the test set into {into}"):
            return _make(into, work, source, obtain)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        raise UserError(f"the test set cannot be brought into {into}: {what}") from error


def count(folder: Path) -> dict[str, int]:
    """The number of files of each class."""
    return {label: sum(1 for _ in (folder / label).glob("*")) for label in LABELS}


def _make(into: Path, work: Path, source: str, obtain: Obtain) -> tuple[Record, bool]:
    downloads, staging = work / "downloads", work / "partial"
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    there = _look(into)
    if there is not None:
        shutil.rmtree(downloads, ignore_errors=True)
        if source in REMOTE:
            return _same(into, there, source, there.source == source), False
    path = obtain(downloads)
    _keep_apart(path.resolve(), into)
    staging.mkdir()
    try:
        with opened(path, staging) as collection:
            collection.check()
            content = collection.content()
            if there is not None:
                return _same(into, there, source, there.content == content), False
            need_room(staging, collection.size)
            images, left_out = _copy(collection, staging / into.name)
        made = Record(source, _now(), *_archive(path), content, images, left_out)
        made.write(staging / into.name)
        (staging / into.name).replace(into)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)
    return made, True


def _look(into: Path) -> Record | None:
    """The test set that is there; None where there is nothing.

    Raises:
        UserError: what is there is no whole test set.
    """
    if into.exists() and not into.is_dir():
        raise UserError(f"{into}: expected a folder for the test set, found a file")
    if not into.exists() or not any(into.iterdir()):
        return None
    there, images = record.read(into), count(into)
    found = " and ".join(f"{number:,} {label}s" for label, number in images.items())
    if there is None:
        raise UserError(
            f"{into}: holds {found} without a {record.FILE_NAME}: remove that folder first, or name another by --into"
        )
    if there.images != images:
        made = " and ".join(f"{number:,} {label}s" for label, number in there.images.items())
        raise UserError(f"{into}: had {made} when it was made and has {found} now: remove that folder, then call again")
    return there


def _same(into: Path, there: Record, source: str, same: bool) -> Record:
    if not same:
        raise UserError(
            f"{into}: holds the test set of {there.source}, not of {source}: remove that folder first to replace it"
        )
    return there


def _keep_apart(path: Path, into: Path) -> None:
    """Raise UserError where the test set would be made of training images, or of itself."""
    if path.is_relative_to(into.with_name("train")):
        raise UserError(f"{path}: expected images to test with, given those to train with")
    if into.is_relative_to(path):
        raise UserError(f"{path}: expected a folder beside the test set's, given one around {into}")


def _copy(collection: Collection, folder: Path) -> tuple[dict[str, int], dict[str, str]]:
    """Copy the images that can be decoded; their number by class, and the others with the reasons."""
    for label in LABELS:
        (folder / label).mkdir(parents=True)

    def one(entry: Entry) -> str | None:
        file = folder / entry.target
        try:
            collection.copy(entry, file)
            decode(file, SIDE, "rgb")
        except (UnreadableError, BrokenImageError) as error:
            file.unlink(missing_ok=True)
            return str(error)
        return None

    left_out = dict(collection.left_out)
    images: Counter[str] = Counter()
    progress = tqdm(total=len(collection.entries), desc="copying and checking", unit="image", disable=None)
    # what Pillow warns of, the user need not know
    with progress, ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for start in range(0, len(collection.entries), BLOCK):
            block = collection.entries[start : start + BLOCK]
            for entry, fault in zip(block, pool.map(one, block), strict=True):
                if fault is None:
                    images[entry.label] += 1
                else:
                    left_out[entry.path] = fault
                progress.update()
    for label in LABELS:
        if not images[label]:
            raise UserError(f"{collection.path}: none of its {label}s can be read: {next(iter(left_out.values()))}")
    return {label: images[label] for label in LABELS}, left_out


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _archive(path: Path) -> tuple[str, int, str]:
    """Name, size and SHA-256 of a zip file; of a folder nothing."""
    if path.is_dir():
        return "", 0, ""
    with path.open("rb") as file:
        return path.name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()
