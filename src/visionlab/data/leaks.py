"""Training images that show what test images show: a network would be tested on what it has learnt by heart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from visionlab.errors import UserError
from visionlab.gather import inspection
from visionlab.gather.inspection import Inspection
from visionlab.gather.matching import find_copies
from visionlab.gather.signature import Signatures
from visionlab.gather.signature_store import Outcome, inspect_all, key_of

# change it with every change of what counts as a copy: images are compared anew
VERSION = 2
SHOWN = 3  # told in full, of pairs or of files

Pair = tuple[str, str]


def check_leaks(root: Path, training: Sequence[str], held_out: Sequence[str], identity: str, cache: Path) -> None:
    """Make sure that no training image is a copy of a held-out image, be it scaled, cut, mirrored, grey or saved anew.

    Found is what has the same pixels, and what `visionlab.gather.matching` takes for a copy, which says what is found
    and what is not. Every image is decoded for that, once in the life of the data set. That the images were found
    apart is remembered, and as long as `identity` is the same, nothing is looked at again, nor written.

    Args:
        root: the folder of the data set.
        training: paths of the images to train and validate on, relative to `root`.
        held_out: those of the images to test on.
        identity: of all these files; another one where any of them was added, removed or changed.
        cache: the folder for what is remembered, of all data sets.

    Raises:
        UserError: there are copies; names them. Or an image cannot be decoded, or the cache not be read or written.
    """
    place = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=4).hexdigest()
    marker = cache / f"leaks-{place}.checked"
    state = _state(training, held_out, identity)
    try:
        if _is_marked(marker, state):  # without the lock: the cache may be one that cannot be written
            return
        with FileLock(cache / f"leaks-{place}.lock"):
            if _is_marked(marker, state):  # by the process that had the lock before
                return
            pairs = _copies(root, training, held_out, cache / f"leaks-{place}")
            if pairs:
                raise UserError(_message(root, pairs))
            part = marker.with_suffix(".part")
            part.write_bytes(state)
            part.replace(marker)
    except OSError as error:
        raise UserError(
            f"{root}: its images cannot be compared with the help of {cache}: {error}; VISIONLAB_DATA names another "
            "place"
        ) from error


def _is_marked(marker: Path, state: bytes) -> bool:
    try:
        return marker.read_bytes() == state
    except FileNotFoundError:
        return False


def _state(training: Sequence[str], held_out: Sequence[str], identity: str) -> bytes:
    """All that the answer depends on."""
    how = f"{VERSION} {inspection.VERSION}"
    digest = hashlib.blake2b(f"{how} {identity} {len(training)} ".encode(), digest_size=16)
    digest.update(b"\0".join(os.fsencode(path) for path in (*training, *held_out)))
    return digest.hexdigest().encode()


def _copies(root: Path, training: Sequence[str], held_out: Sequence[str], cache: Path) -> list[Pair]:
    """Training images with the test image that they are copies of."""
    files = [root / path for path in (*training, *held_out)]
    found = inspect_all(files, [key_of(file) for file in files], cache, None, f"{root.name} for copies")
    images = _all_images(root, [*training, *held_out], found)
    queries, references = images[: len(training)], images[len(training) :]
    matches = find_copies(*(Signatures.of([image.signature for image in side]) for side in (queries, references)))
    # of several test images that one is a copy of, the most similar stays, and before all one with the same pixels
    ordered = sorted(matches, key=lambda match: match.correlation)
    pairs = {training[match.query]: held_out[match.reference] for match in ordered}
    exact = {image.pixel_hash: path for image, path in zip(references, held_out, strict=True)}
    same = zip(training, [exact.get(image.pixel_hash) for image in queries], strict=True)
    pairs |= {path: original for path, original in same if original is not None}
    return sorted(pairs.items())


def _all_images(root: Path, paths: Sequence[str], found: Sequence[Outcome]) -> list[Inspection]:
    """What was found, if it was found of every file: an image that is not compared must not be used either."""
    images = [outcome for outcome in found if isinstance(outcome, Inspection)]
    if len(images) < len(found):
        named = [f"{path} ({reason})" for path, reason in zip(paths, found, strict=True) if isinstance(reason, str)]
        raise UserError(f"{root}: {len(named):,} images cannot be compared with others: {_some(named)}; remove them")
    return images


def _message(root: Path, pairs: Sequence[Pair]) -> str:
    named = [f"{copy} ({original})" for copy, original in pairs]
    return (
        f"{root}: {len(pairs):,} training images show what test images show: {_some(named)}; remove them, or run "
        "`visionlab gather` again, which leaves them out"
    )


def _some(named: Sequence[str]) -> str:
    more = [f"and {len(named) - SHOWN:,} more"] if len(named) > SHOWN else []
    return ", ".join([*named[:SHOWN], *more])
