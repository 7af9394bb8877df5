"""Seeded, stratified splits that never part equal images or the members of a group.

Who goes where is decided by content: each unit (an image with all its copies, or a whole group) has a place in an order
drawn by hashing its content with the seed. So a split does not depend on the order of the files, and adding an image
moves hardly any other from the side it is on.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import torch
from torch import Tensor

from visionlab.data.images import ImageSet
from visionlab.errors import UserError


def split(source: ImageSet, hashes: list[bytes], fraction: float, seed: int, purpose: str) -> tuple[Tensor, Tensor]:
    """Split off about `fraction` of each class.

    Args:
        source: the images to split.
        hashes: the content hash of each.
        fraction: the share to split off, 0 to 1.
        seed: another seed gives another split.
        purpose: two splits of one set for different purposes are drawn independently.

    Returns:
        The indices that remain and the indices split off, both in rising order. Every class with at least two units
        keeps one on either side, as long as 0 < fraction < 1.
    """
    taken: list[int] = []
    for ordered in _by_class(source, hashes, f"{purpose}:{seed}"):
        for members in _take(ordered, fraction):
            taken += members
    return _parted(len(source), taken)


def split_fold(source: ImageSet, hashes: list[bytes], fold: int, folds: int, seed: int) -> tuple[Tensor, Tensor]:
    """Split off one of `folds` parts of about equal size, each with about its share of every class.

    Args:
        source, hashes: as for `split`.
        fold: from 0; the parts of all folds are the whole, and no image is in two of them.
        folds: how many.
        seed: another seed gives other parts; so may another image, as parts of equal size fix no image's place.

    Returns:
        The indices that remain and the indices split off, both in rising order. Of every class the parts have the same
        number of images but for those of its largest unit; of a class with fewer units than folds some have none.

    Raises:
        UserError: there are fewer units than folds.
    """
    by_class = _by_class(source, hashes, f"folds:{seed}")
    count = sum(map(len, by_class))
    if count < folds:
        what = "different images" if source.groups is None else "groups"
        raise UserError(f"data.folds: expected at most {count}, as there are no more {what}, given {folds}")
    sizes = [0] * folds
    taken: list[int] = []
    for ordered in by_class:
        of_class = [0] * folds
        for members in ordered:
            # the part with least of the class; of equal ones the smallest, so that rare classes do not pile up in one
            chosen = min(range(folds), key=lambda part: (of_class[part], sizes[part], part))
            of_class[chosen] += len(members)
            sizes[chosen] += len(members)
            if chosen == fold:
                taken += members
    return _parted(len(source), taken)


def _by_class(source: ImageSet, hashes: list[bytes], purpose: str) -> list[list[list[int]]]:
    """For each class its units, in the order that `purpose` draws; classes in the order of their labels."""
    labels = source.labels.tolist()
    key = purpose.encode()
    found: dict[int, list[tuple[bytes, list[int]]]] = defaultdict(list)
    for members in units(source, hashes):
        identity = hashes[members[0]] if len(members) == 1 else min(hashes[i] for i in members)
        order = hashlib.blake2b(identity, key=key, digest_size=16).digest()
        found[_majority([labels[i] for i in members])].append((order, members))
    return [[members for _, members in sorted(found[label])] for label in sorted(found)]


def _parted(size: int, taken: list[int]) -> tuple[Tensor, Tensor]:
    split_off = torch.zeros(size, dtype=torch.bool)
    split_off[torch.tensor(taken, dtype=torch.long)] = True
    return (~split_off).nonzero().flatten(), split_off.nonzero().flatten()


def _majority(labels: list[int]) -> int:
    """The most frequent label; of several the least, as nothing may depend on the order of the files."""
    if len(labels) == 1:
        return labels[0]
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _take(ordered: list[list[int]], fraction: float) -> list[list[int]]:
    """Those of a class's units, in their order, that bring the number of images nearest to `fraction` of all."""
    wanted = round(fraction * sum(len(unit) for unit in ordered))
    taken: list[list[int]] = []
    left: list[list[int]] = []
    count = 0
    for position, unit in enumerate(ordered):
        if count >= wanted:
            left += ordered[position:]
            break
        # a group larger than what is still wanted may be passed over
        nearer = abs(count + len(unit) - wanted) < abs(count - wanted)
        (taken if nearer else left).append(unit)
        count += len(unit) * nearer
    if 0 < fraction < 1 and len(ordered) > 1:
        if not taken:
            taken = [min(ordered, key=len)]
        elif not left:
            taken.remove(min(reversed(taken), key=len))
    return taken


def without(source: ImageSet, hashes: list[bytes], held_out: ImageSet, held_out_hashes: list[bytes]) -> Tensor:
    """The indices, in rising order, of the units that share neither an image nor a group with `held_out`."""
    contents, groups = set(held_out_hashes), set(held_out.groups or ())
    if source.groups is None:
        kept = [i for i, digest in enumerate(hashes) if digest not in contents]
    else:
        names = source.groups
        kept = [
            index
            for members in units(source, hashes)
            if not any(hashes[i] in contents or names[i] in groups for i in members)
            for index in members
        ]
    return torch.tensor(sorted(kept), dtype=torch.long)


def units(source: ImageSet, hashes: list[bytes]) -> list[list[int]]:
    """Sets of indices that have to stay together: equal content, or equal group, or linked by a chain of these."""
    parent: dict[object, object] = {}

    def find(key: object) -> object:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    if source.groups is not None:
        for digest, group in zip(hashes, source.groups, strict=True):
            parent[find(digest)] = find(group)
    members: dict[object, list[int]] = defaultdict(list)
    for index, digest in enumerate(hashes):
        members[find(digest) if source.groups is not None else digest].append(index)
    return list(members.values())
