"""Which images show the same, up to compression, size, reflection and moderate cutting."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionlab.gather.alignment import align, sample, slope_correlation, standardize
from visionlab.gather.signature import COLUMNS, MIRRORED, PLAIN, Signatures

# candidates: at most so many bits of 64 of the hashes differ, and levels of 255 of the mean colours, and the coarse
# pixels, not yet aligned, correlate at least so much
DISTANCE, TINT, ROUGH = 18, 16.0, 0.7
# copies: when aligned, the fine pixels and their slopes correlate at least so much, and the mean colours differ less
PIXELS, SLOPES, ALIGNED_TINT = 0.93, 0.87, 8.0
COARSE, FINE = 8, 16  # pixels of a side
BLOCK = 1024  # images whose pixels are worked on at a time
ROWS, WIDTH = 64, 4096  # pairs of hashes compared at a time: 2 MB
PAIRS = 256  # aligned at a time

Floats = NDArray[np.float32]
Places = NDArray[np.intp]


class Match(NamedTuple):
    """A pair of images that show the same.

    Attributes:
        query: the place of the one.
        reference: the place of the other.
        correlation: of their pixels after alignment, up to 1.
        mirrored: whether one is a mirror image of the other.
    """

    query: int
    reference: int
    correlation: float
    mirrored: bool


def find_copies(queries: Signatures, references: Signatures) -> list[Match]:
    """Which of the queries show what one of the references shows.

    Returns:
        By query, then by reference.
    """
    first, second = _Side(queries), _Side(references)
    there = _search(first, second)
    back = [match._replace(query=match.reference, reference=match.query) for match in _search(second, first)]
    return _best([*there, *back])


def find_duplicates(signatures: Signatures) -> list[Match]:
    """Which of some images show the same.

    Returns:
        By query, then by reference; the query comes before the reference.
    """
    side = _Side(signatures)
    return _best([match._replace(query=min(match[:2]), reference=max(match[:2])) for match in _search(side, side)])


def _best(found: list[Match]) -> list[Match]:
    """For each pair the match that correlates best."""
    best = {match[:2]: match for match in sorted(found, key=lambda match: (match.correlation, match.mirrored))}
    return sorted(best.values())


class _View(NamedTuple):
    """A part of each image, the darkest first.

    Attributes:
        places: (N,) of the images.
        hashes: (N,) uint64.
        tints: (N, 3) mean colour, from 0 to 255.
        brightness: (N,) mean of the tints; increasing.
        pixels: (N, D) coarse, standardized.
    """

    places: Places
    hashes: NDArray[np.uint64]
    tints: Floats
    brightness: Floats
    pixels: Floats


class _Side:
    """Some images that are compared with others."""

    def __init__(self, signatures: Signatures) -> None:
        self.signatures = signatures
        whole = np.array([[0, 0, 1, 1]], np.float32)
        self.fine = np.empty((len(signatures), 3, FINE, FINE), np.float32)
        for block in _blocks(len(signatures), BLOCK):
            self.fine[block] = sample(self.thumbnails(block), whole, FINE)

    def thumbnails(self, places: NDArray[np.int32] | slice) -> Floats:
        """(K, 3, H, W)."""
        return self.signatures.thumbnails[places].transpose(0, 3, 1, 2).astype(np.float32)

    def view(self, column: int) -> _View:
        """The part that a column of the hashes is of."""
        pixels = np.empty((len(self.fine), 3, COARSE, COARSE), np.float32)
        for block in _blocks(len(pixels), BLOCK):
            pixels[block] = sample(self.fine[block], np.array([COLUMNS[column]], np.float32), COARSE)
        if column == MIRRORED:
            pixels = pixels[..., ::-1]
        tints = pixels.mean((2, 3))
        brightness = tints.mean(1)
        order = np.argsort(brightness, kind="stable")
        hashes = self.signatures.hashes[order, column]
        return _View(order, hashes, tints[order], brightness[order], standardize(pixels[order]))


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


# a whole image, maybe mirrored, and the part of another image that it is like; the correlation is of coarse pixels
_CANDIDATE = np.dtype(
    [("inner", np.int32), ("outer", np.int32), ("mirrored", np.bool_), ("likeness", np.float32), ("column", np.int8)]
)
Candidates = NDArray[np.void]


def _search(inner: _Side, outer: _Side) -> list[Match]:
    """Images of which the inner one shows all or a part of the outer one."""
    with ThreadPoolExecutor() as pool:
        candidates = _candidates(pool, inner, outer)
        blocks = [candidates[block] for block in _blocks(len(candidates), PAIRS)]
        return [match for matches in pool.map(partial(_confirm, inner, outer), blocks) for match in matches]


def _candidates(pool: ThreadPoolExecutor, inner: _Side, outer: _Side) -> Candidates:
    """Each pair once for either reflection, with the part that is most alike."""
    found = [np.zeros(0, _CANDIDATE)]
    wholes = [inner.view(PLAIN), inner.view(MIRRORED)]
    for column in [column for column in range(len(COLUMNS)) if column != MIRRORED]:
        part = outer.view(column)
        for mirrored, whole in enumerate(wholes):
            for near in pool.map(partial(_near, whole, part), _blocks(len(whole.places), ROWS)):
                near["mirrored"], near["column"] = mirrored, column
                found.append(near if inner is not outer else near[near["inner"] != near["outer"]])
    pairs = np.concatenate(found)
    order = np.lexsort((pairs["column"], -pairs["likeness"], pairs["mirrored"], pairs["outer"], pairs["inner"]))
    pairs = pairs[order]
    same = np.ones(max(len(pairs) - 1, 0), np.bool_)
    for name in ("inner", "outer", "mirrored"):
        same &= pairs[name][1:] == pairs[name][:-1]
    return pairs[np.concatenate([[True], ~same])[: len(pairs)]]


def _near(whole: _View, part: _View, rows: slice) -> Candidates:
    """Pairs alike in hash, colour and coarse pixels."""
    brightness = whole.brightness[rows]
    low, high = np.searchsorted(part.brightness, [brightness[0] - TINT, brightness[-1] + TINT])
    found = [np.zeros(0, _CANDIDATE)]
    for block in _blocks(high - low, WIDTH):
        columns = slice(low + block.start, low + block.stop)
        distance = np.bitwise_count(whole.hashes[rows, None] ^ part.hashes[columns])
        first, second = np.divmod(np.flatnonzero(distance <= DISTANCE), distance.shape[1])
        first, second = first + rows.start, second + columns.start
        alike = (np.abs(whole.tints[first] - part.tints[second]) <= TINT).all(1)
        first, second = first[alike], second[alike]
        likeness = np.einsum("kd,kd->k", whole.pixels[first], part.pixels[second])
        alike = likeness >= ROUGH
        near = np.zeros(int(alike.sum()), _CANDIDATE)
        near["inner"], near["outer"] = whole.places[first[alike]], part.places[second[alike]]
        near["likeness"] = likeness[alike]
        found.append(near)
    return np.concatenate(found)


def _confirm(inner: _Side, outer: _Side, pairs: Candidates) -> list[Match]:
    """Those whose pixels correlate when they are aligned."""
    pictures = inner.fine[pairs["inner"]]
    pictures[pairs["mirrored"]] = pictures[pairs["mirrored"]][..., ::-1]
    thumbnails = outer.thumbnails(pairs["outer"])
    correlation, windows = align(pictures, thumbnails, np.array(COLUMNS, np.float32)[pairs["column"]])
    shown = sample(thumbnails, windows, FINE)
    tint = np.abs(pictures.mean((2, 3)) - shown.mean((2, 3))).max(1)
    good = (correlation >= PIXELS) & (slope_correlation(pictures, shown) >= SLOPES) & (tint <= ALIGNED_TINT)
    rows = zip(pairs[good][["inner", "outer", "mirrored"]].tolist(), correlation[good].tolist(), strict=True)
    return [Match(first, second, likeness, mirrored) for (first, second, mirrored), likeness in rows]
