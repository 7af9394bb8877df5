"""Seeded, stratified splits that never part equal images or the members of a group.

Who goes where is decided by content: each unit (an image with all its copies, or a whole group) has a place in an order
drawn by hashing its content with the seed. So a split does not depend on the order of the files, and adding an image
moves hardly any other.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

import torch
from torch import Tensor

from visionlab.data.images import ImageSet


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
    labels = source.labels.tolist()
    key = f"{purpose}:{seed}".encode()
    by_class: dict[int, list[tuple[bytes, list[int]]]] = defaultdict(list)
    for members in _units(source, hashes):
        identity = hashes[members[0]] if len(members) == 1 else min(hashes[i] for i in members)
        order = hashlib.blake2b(identity, key=key, digest_size=16).digest()
        by_class[_majority([labels[i] for i in members])].append((order, members))

    taken: list[int] = []
    for ordered in by_class.values():
        for members in _take([members for _, members in sorted(ordered)], fraction):
            taken += members
    split_off = torch.zeros(len(source), dtype=torch.bool)
    split_off[torch.tensor(taken, dtype=torch.long)] = True
    return (~split_off).nonzero().flatten(), split_off.nonzero().flatten()


def _majority(labels: list[int]) -> int:
    """The most frequent label; of several the least, as nothing may depend on the order of the files."""
    if len(labels) == 1:
        return labels[0]
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def _take(units: list[list[int]], fraction: float) -> list[list[int]]:
    """Those of `units`, in their order, that bring the number of images nearest to `fraction` of all."""
    wanted = round(fraction * sum(len(unit) for unit in units))
    taken: list[list[int]] = []
    left: list[list[int]] = []
    count = 0
    for position, unit in enumerate(units):
        if count >= wanted:
            left += units[position:]
            break
        # a group larger than what is still wanted may be passed over
        nearer = abs(count + len(unit) - wanted) < abs(count - wanted)
        (taken if nearer else left).append(unit)
        count += len(unit) * nearer
    if 0 < fraction < 1 and len(units) > 1:
        if not taken:
            taken = [min(units, key=len)]
        elif not left:
            taken.remove(min(reversed(taken), key=len))
    return taken


def without(hashes: list[bytes], held_out: list[bytes]) -> Tensor:
    """The indices of the images whose content does not occur in `held_out`."""
    forbidden = set(held_out)
    return torch.tensor([i for i, digest in enumerate(hashes) if digest not in forbidden], dtype=torch.long)


def _units(source: ImageSet, hashes: list[bytes]) -> list[list[int]]:
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
