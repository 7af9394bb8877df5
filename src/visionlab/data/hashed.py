"""A set of images with the hash of each one's content, by which it is split."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from visionlab.data.images import ImageSet, content_hashes
from visionlab.data.splits import split, split_fold, without


@dataclass(frozen=True)
class HashedSet:
    """Images and the hash of each one's content."""

    images: ImageSet
    hashes: list[bytes]

    @classmethod
    def of(cls, images: ImageSet) -> HashedSet:
        return cls(images, content_hashes(images.images))

    def __len__(self) -> int:
        return len(self.hashes)

    def subset(self, indices: Tensor) -> HashedSet:
        """The images at `indices` (K,), in that order."""
        return HashedSet(self.images.subset(indices), [self.hashes[i] for i in indices.tolist()])

    def split(self, fraction: float, seed: int, purpose: str) -> tuple[HashedSet, HashedSet]:
        """What remains and what is split off: see `visionlab.data.splits.split`."""
        rest, taken = split(self.images, self.hashes, fraction, seed, purpose)
        return self.subset(rest), self.subset(taken)

    def split_fold(self, fold: int, folds: int, seed: int) -> tuple[HashedSet, HashedSet]:
        """What remains and what is split off: see `visionlab.data.splits.split_fold`."""
        rest, taken = split_fold(self.images, self.hashes, fold, folds, seed)
        return self.subset(rest), self.subset(taken)

    def without(self, held_out: HashedSet) -> HashedSet:
        """The images that are not in `held_out`, and are of no group with one that is."""
        return self.subset(without(self.images, self.hashes, held_out.images, held_out.hashes))

    def count_in(self, other: HashedSet) -> int:
        """How many of the images are also in `other`."""
        known = set(other.hashes)
        return sum(digest in known for digest in self.hashes)
