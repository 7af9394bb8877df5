"""Which images show the same, up to compression, size, reflection and moderate cutting.

Candidates are pairs whose perceptual hashes differ in few bits, of the whole images or of one and a part of the other,
and whose brightness and coarse pixels are alike, in colour or in black and white. The hashes alone would take 1
in 700 pairs of photographs for copies. So a candidate counts only if its pixels correlate when the part is moved to
where it suits best.

Measured with the limits below. Of 500 photographs of cats and dogs all copies were found that were saved up to three
times at JPEG quality 50, scaled to 96 pixels, mirrored, or all of it at once (correlation at least 0.99), and of parts
that keep 95, 90, 85, 80, 75 and 70 % of each side 100 % if cut from the middle, else 100, 99.6, 95, 98, 96 and 72 %.
Grey and brown copies were all found as well, at their own size, at 160 pixels, and at 96 pixels, mirrored and saved.
Copies that are lighter or darker by more than TINT, turned, framed or written over are mostly missed.
Unrelated photographs, 3 million pairs of 3,200, reached 0.93, and 0.76 in the correlation of slopes; in black and white
0.945, so more is demanded there. Of 807 matches in CIFAR-10 about 10 were wrong, judged by eye; of 123 of 25,000 x
25,000 that black and white adds to 1,726 pairs about a quarter is, nearly all of them ships on the horizon.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionlab.gather.alignment import LUMA, align, luminance, sample, slope_correlation, standardize
from visionlab.gather.signature import COLUMNS, MIRRORED, PLAIN, WHOLE, Signatures

TINT = 20.0  # levels of 255 that the mean colours may differ by
# candidates: at most so many bits of 64 of the hashes differ, and the coarse pixels, not yet aligned, correlate so much
DISTANCE, ROUGH = 18, 0.72
# copies: aligned, the fine pixels and their slopes correlate at least so much; and before, the coarse ones
PIXELS, SLOPES, EARLY = 0.94, 0.87, 0.86
GREY_PIXELS = 0.97  # in black and white, where different pictures are more alike
COARSE, FINE = 8, 16  # pixels of a side
BLOCK = 1024  # images whose pixels are worked on at a time
ROWS, WIDTH = 256, 4096  # pairs of hashes compared at a time: 8 MB
PAIRS = 256  # aligned at a time
EARLY_STEPS, STEPS = 2, 4  # of the alignment

_WHOLE = np.array([WHOLE], np.float32)

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
    first, first_places = _distinct(queries)
    second, second_places = _distinct(references)
    there = _search(first, second)
    back = [match._replace(query=match.reference, reference=match.query) for match in _search(second, first)]
    return sorted(
        match._replace(query=query, reference=reference)
        for match in _best([*there, *back])
        for query in first_places[match.query]
        for reference in second_places[match.reference]
    )


def find_duplicates(signatures: Signatures) -> list[Match]:
    """Which of some images show the same. Of images whose signatures are equal the first stands for the others.

    Returns:
        By query, then by reference; the query comes before the reference.
    """
    side, places = _distinct(signatures)
    equal = [Match(group[0], other, 1.0, False) for group in places for other in group[1:]]
    found = [
        match._replace(query=min(pair), reference=max(pair))
        for match in _search(side, side)
        for pair in [(places[match.query][0], places[match.reference][0])]
    ]
    return _best([*equal, *found])


def _distinct(signatures: Signatures) -> tuple[_Side, list[list[int]]]:
    """Signatures without repetition, and the places of each: a picture that is there a thousand times is one."""
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for place, (hashes, thumbnail) in enumerate(zip(signatures.hashes, signatures.thumbnails, strict=True)):
        groups[hashlib.blake2b(hashes.tobytes() + thumbnail.tobytes()).digest()].append(place)
    places = list(groups.values())
    firsts = np.array([group[0] for group in places], np.intp)
    return _Side(Signatures(signatures.hashes[firsts], signatures.thumbnails[firsts])), places


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
        brightness: (N,) of the mean colour; increasing.
        pixels: (N, D) coarse, standardized, in colour.
        grey: (N, D / 3) the same in black and white.
    """

    places: Places
    hashes: NDArray[np.uint64]
    tints: Floats
    brightness: Floats
    pixels: Floats
    grey: Floats


class _Side:
    """Some images that are compared with others."""

    def __init__(self, signatures: Signatures) -> None:
        self.signatures = signatures
        self.fine = np.empty((len(signatures), 3, FINE, FINE), np.float32)
        for block in _blocks(len(signatures), BLOCK):
            self.fine[block] = sample(self.thumbnails(block), _WHOLE, FINE)

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
        brightness = tints @ np.array(LUMA, np.float32)
        order = np.argsort(brightness, kind="stable")
        hashes = self.signatures.hashes[order, column]
        pixels, tints, brightness = pixels[order], tints[order], brightness[order]
        return _View(order, hashes, tints, brightness, standardize(pixels), standardize(luminance(pixels)))


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


# a whole image, maybe mirrored, and the part of another image that it is like, in black and white or in colour; the
# likeness is the correlation of coarse pixels
_PAIR = [("inner", np.int32), ("outer", np.int32), ("mirrored", np.bool_), ("grey", np.bool_)]
_CANDIDATE = np.dtype([*_PAIR, ("likeness", np.float32), ("column", np.int8)])
Candidates = NDArray[np.void]


def _search(inner: _Side, outer: _Side) -> list[Match]:
    """Images of which the inner one shows all or a part of the outer one."""
    with ThreadPoolExecutor() as pool:
        candidates = _candidates(pool, inner, outer)
        found: list[Match] = []
        for grey in (False, True):
            some = candidates[candidates["grey"] == grey]
            blocks = [some[block] for block in _blocks(len(some), PAIRS)]
            for matches in pool.map(partial(_confirm, inner, outer, grey), blocks):
                found += matches
    return found


def _candidates(pool: ThreadPoolExecutor, inner: _Side, outer: _Side) -> Candidates:
    """Each pair once for either reflection, in colour and in grey, with the part that is most alike."""
    found = [np.zeros(0, _CANDIDATE)]
    wholes = [inner.view(PLAIN), inner.view(MIRRORED)]
    for column in [column for column in range(len(COLUMNS)) if column != MIRRORED]:
        part = outer.view(column)
        for mirrored, whole in enumerate(wholes):
            for near in pool.map(partial(_near, whole, part), _blocks(len(whole.places), ROWS)):
                near["mirrored"], near["column"] = mirrored, column
                found.append(near if inner is not outer else near[near["inner"] != near["outer"]])
    pairs = np.concatenate(found)
    names = [name for name, _ in _PAIR]
    pairs = pairs[np.lexsort((pairs["column"], -pairs["likeness"], *(pairs[name] for name in reversed(names))))]
    same = np.ones(max(len(pairs) - 1, 0), np.bool_)
    for name in names:
        same &= pairs[name][1:] == pairs[name][:-1]
    first = np.concatenate([[True], ~same])[: len(pairs)]
    return np.asarray(pairs[first])


def _near(whole: _View, part: _View, those: slice) -> Candidates:
    """Pairs alike in hash and brightness, and in coarse pixels in black and white or in colour."""
    brightness = whole.brightness[those]
    low, high = np.searchsorted(part.brightness, [brightness[0] - TINT, brightness[-1] + TINT])
    found = [np.zeros(0, _CANDIDATE)]
    for block in _blocks(high - low, WIDTH):
        start, stop = low + block.start, low + block.stop
        distance = np.bitwise_count(whole.hashes[those, None] ^ part.hashes[start:stop])
        first, second = np.divmod(np.flatnonzero(distance <= DISTANCE), distance.shape[1])
        first, second = first + those.start, second + start
        tint = np.abs(whole.tints[first] - part.tints[second]).max(1)
        light = np.abs(whole.brightness[first] - part.brightness[second])
        ways = [(False, tint, whole.pixels, part.pixels), (True, light, whole.grey, part.grey)]
        for grey, difference, one, other in ways:
            rows, columns = first[difference <= TINT], second[difference <= TINT]
            likeness = np.einsum("kd,kd->k", one[rows], other[columns])
            alike = likeness >= ROUGH
            near = np.zeros(int(alike.sum()), _CANDIDATE)
            near["inner"], near["outer"] = whole.places[rows[alike]], part.places[columns[alike]]
            near["grey"], near["likeness"] = grey, likeness[alike]
            found.append(near)
    return np.concatenate(found)


def _confirm(inner: _Side, outer: _Side, grey: bool, pairs: Candidates) -> list[Match]:
    """Those whose pixels, in black and white if `grey`, correlate when they are aligned."""
    plain = luminance if grey else np.asarray
    pictures = plain(inner.fine[pairs["inner"]])
    pictures[pairs["mirrored"]] = pictures[pairs["mirrored"]][..., ::-1]
    windows = np.array(COLUMNS, np.float32)[pairs["column"]]
    coarse = sample(pictures, _WHOLE, COARSE)
    correlation, windows = align(coarse, plain(outer.fine[pairs["outer"]]), windows, EARLY_STEPS)
    early = correlation >= EARLY
    pairs, pictures, thumbnails = pairs[early], pictures[early], plain(outer.thumbnails(pairs["outer"][early]))
    correlation, windows = align(pictures, thumbnails, windows[early], STEPS)
    shown = sample(thumbnails, windows, FINE)
    tint = np.abs(pictures.mean((2, 3)) - shown.mean((2, 3))).max(1)
    enough = correlation >= (GREY_PIXELS if grey else PIXELS)
    good = enough & (slope_correlation(pictures, shown) >= SLOPES) & (tint <= TINT)
    rows = zip(pairs[good][["inner", "outer", "mirrored"]].tolist(), correlation[good].tolist(), strict=True)
    return [Match(first, second, likeness, mirrored) for (first, second, mirrored), likeness in rows]
