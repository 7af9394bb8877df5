"""Training images that show what test images show: a network would be tested on what it has learnt by heart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from visionlab.config.gather import AcceptConfig
from visionlab.errors import UserError
from visionlab.gather import inspection
from visionlab.gather.inspection import Inspection
from visionlab.gather.matching import find_copies
from visionlab.gather.signature import Signatures
from visionlab.gather.signature_store import inspect_all, key_of

# change it with every change of what counts as a copy: images are compared anew
VERSION = 1
SHOWN = 3  # pairs told in full
ANYTHING = AcceptConfig(min_side=1, max_aspect=1e6)  # what an image is like is of no account here

Pair = tuple[str, str]


def check_leaks(root: Path, training: Sequence[str], held_out: Sequence[str], identity: str, cache: Path) -> None:
    """Make sure that no training image is a copy of a held-out image, be it scaled, cut, mirrored or saved anew.

    Every image is decoded for that, once in the life of the data set. That the images were found apart is remembered,
    and as long as `identity` is the same, nothing is looked at again.

    Args:
        root: the folder of the data set.
        training: paths of the images to train and validate on, relative to `root`.
        held_out: those of the images to test on.
        identity: of all these files; another one where any of them was added, removed or changed.
        cache: the folder for what is remembered, of all data sets.

    Raises:
        UserError: there are copies; names them. Or an image cannot be read.
    """
    place = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=4).hexdigest()
    marker = cache / f"leaks-{place}.checked"
    state = _state(training, held_out, identity)
    with FileLock(cache / f"leaks-{place}.lock"):
        if marker.exists() and marker.read_text() == state:
            return
        pairs = _copies(root, training, held_out, cache / f"leaks-{place}")
        if pairs:
            raise UserError(_message(root, pairs))
        part = marker.with_suffix(".part")
        part.write_text(state)
        part.replace(marker)


def _state(training: Sequence[str], held_out: Sequence[str], identity: str) -> str:
    """All that the answer depends on."""
    how = f"{VERSION} {inspection.VERSION}"
    digest = hashlib.blake2b(f"{how} {identity} {len(training)} ".encode(), digest_size=16)
    digest.update(b"\0".join(os.fsencode(path) for path in (*training, *held_out)))
    return digest.hexdigest()


def _copies(root: Path, training: Sequence[str], held_out: Sequence[str], cache: Path) -> list[Pair]:
    """Training images with the test image that they are copies of."""
    paths = [*training, *held_out]
    files = [root / path for path in paths]
    found = inspect_all(files, [key_of(file) for file in files], cache, ANYTHING, f"{root.name} for copies")
    # a file that nothing can be told of, such as an animation, has no part in it
    seen = {path: one.signature for path, one in zip(paths, found, strict=True) if isinstance(one, Inspection)}
    queries, references = [path for path in training if path in seen], [path for path in held_out if path in seen]
    matches = find_copies(*(Signatures.of([seen[path] for path in side]) for side in (queries, references)))
    # of several test images that one is a copy of, the most similar stays
    pairs = {queries[m.query]: references[m.reference] for m in sorted(matches, key=lambda match: match.correlation)}
    return sorted(pairs.items())


def _message(root: Path, pairs: Sequence[Pair]) -> str:
    named = [f"{copy} ({original})" for copy, original in pairs[:SHOWN]]
    more = [f"and {len(pairs) - SHOWN:,} more"] if len(pairs) > SHOWN else []
    return (
        f"{root}: {len(pairs):,} training images show what test images show: {', '.join(named + more)}; remove "
        "them, or run `visionlab gather` again, which leaves them out"
    )
