"""Which of some images that show the same are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from visionlab.gather.matching import Match

COPY_OF_TEST: Final = "copy of a test image"
SEVERAL_CLASSES: Final = "in several classes"
EXACT: Final = "exact duplicate"
NEAR: Final = "near duplicate"


@dataclass(frozen=True)
class Candidate:
    """An image of a class; a file that was found for two classes is two of them.

    Attributes:
        key: of the content of its file.
        label: its class.
        pixels: how many.
        bytes: how many.
        pixel_hash: as of its inspection.
    """

    key: str
    label: str
    pixels: int
    bytes: int
    pixel_hash: str


@dataclass(frozen=True)
class Verdict:
    """What becomes of an image.

    Attributes:
        reason: why it is dropped, one of the constants of this module; empty if it is kept.
        of: the key of the image that it is dropped for: the test image, the first one that is in another class, or the
            one that is kept.
    """

    reason: str = ""
    of: str = ""


def judge(
    gathered: Sequence[Candidate], near: Sequence[Match], held_out: Sequence[Candidate], copies: Sequence[Match]
) -> list[Verdict]:
    """Keep one image of each group that shows the same.

    A group is what equal pixels and near duplicates hold together, over any number of steps. Of a group with a copy of
    a test image none is kept, and none of one that stands in several classes. Else the image with the most pixels is
    kept, of those the one with the most bytes, of those the first by key. The order of the arguments is of no account.

    Args:
        gathered: the images.
        near: pairs of them, from `find_duplicates`.
        held_out: the test images.
        copies: pairs of a gathered and a test image, from `find_copies`.

    Returns:
        A verdict for each gathered image.
    """
    tests = _best_tests(gathered, held_out, copies)
    verdicts = [Verdict()] * len(gathered)
    for group in _groups(gathered, near):
        members = sorted(group, key=lambda index: _rank(gathered[index]))
        leaks = [tests[index] for index in members if index in tests]
        for index in members:
            if leaks:
                verdicts[index] = Verdict(COPY_OF_TEST, tests.get(index, min(leaks))[1])
            else:
                verdicts[index] = _within(gathered, members, index)
    return verdicts


def _rank(image: Candidate) -> tuple[int, int, str, str]:
    return -image.pixels, -image.bytes, image.key, image.label


def _within(gathered: Sequence[Candidate], members: Sequence[int], index: int) -> Verdict:
    """Of an image in a group that has nothing to do with the test images, the best first."""
    image, best = gathered[index], gathered[members[0]]
    others = [gathered[other].key for other in members if gathered[other].label != image.label]
    if others:
        return Verdict(SEVERAL_CLASSES, others[0])
    if index == members[0]:
        return Verdict()
    return Verdict(EXACT if image.pixel_hash == best.pixel_hash else NEAR, best.key)


def _best_tests(
    gathered: Sequence[Candidate], held_out: Sequence[Candidate], copies: Sequence[Match]
) -> dict[int, tuple[float, str]]:
    """For each gathered image that shows a test image the most similar one: its dissimilarity and key."""
    found: defaultdict[int, list[tuple[float, str]]] = defaultdict(list)
    exact: defaultdict[str, list[str]] = defaultdict(list)
    for test in held_out:
        exact[test.pixel_hash].append(test.key)
    for index, image in enumerate(gathered):
        found[index] += [(-1.0, key) for key in exact.get(image.pixel_hash, ())]
    for match in copies:
        found[match.query].append((-match.correlation, held_out[match.reference].key))
    return {index: min(tests) for index, tests in found.items() if tests}


def _groups(gathered: Sequence[Candidate], near: Sequence[Match]) -> list[list[int]]:
    """The images, by their places, that hang together (union-find)."""
    parents = list(range(len(gathered)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    first: dict[str, int] = {}
    for index, image in enumerate(gathered):
        parents[root(index)] = root(first.setdefault(image.pixel_hash, index))
    for match in near:
        parents[root(match.query)] = root(match.reference)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(len(gathered)):
        groups[root(index)].append(index)
    return list(groups.values())
