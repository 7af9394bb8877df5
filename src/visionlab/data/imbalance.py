"""Long-tailed training sets, made of balanced ones to study what unequal classes do.

Sources: Cui et al. 2019, Class-balanced loss based on effective number of samples, section 5.1; Cao et al. 2019,
Learning imbalanced datasets with label-distribution-aware margin loss, section 4.
"""

from __future__ import annotations

import hashlib
import math

import torch

from visionlab.data.hashed import HashedSet
from visionlab.errors import UserError


def long_tail(source: HashedSet, ratio: float, seed: int) -> HashedSet:
    """Leave out images so that the classes, in the order of their labels, have exponentially falling sizes.

    What stays is drawn by content, as splits are: another order of the files changes nothing, and a larger ratio keeps
    no image that a smaller one leaves out, as long as the first class has as many.

    Args:
        ratio: of the size of the first class that has an image to that of the last one.
        seed: another seed keeps other images.

    Raises:
        UserError: the last class would have no image, or there is one class only.
    """
    labels = source.images.labels
    counts = labels.bincount()
    present = counts.nonzero().flatten().tolist()
    sizes = tail_sizes([int(counts[label]) for label in present], ratio)
    key = f"imbalance:{seed}".encode()
    order = [hashlib.blake2b(digest, key=key, digest_size=16).digest() for digest in source.hashes]
    kept: list[int] = []
    for label, size in zip(present, sizes, strict=True):
        members = (labels == label).nonzero().flatten().tolist()
        kept += sorted(members, key=lambda index: order[index])[:size]
    return source.subset(torch.tensor(sorted(kept)))


def tail_sizes(counts: list[int], ratio: float) -> list[int]:
    """The sizes n, n / ratio^(1 / (K - 1)), …, n / ratio, rounded, for the greatest n that `counts` (K) allow.

    Raises:
        UserError: as for `long_tail`.
    """
    if len(counts) < 2:
        raise UserError("data.imbalance: expected training images of several classes, found those of one")
    shares = [ratio ** (-place / (len(counts) - 1)) for place in range(len(counts))]
    # with a little for the rounding of the shares
    first = math.floor(min(count / share for count, share in zip(counts, shares, strict=True)) + 1e-6)
    if first < ratio:
        raise UserError(
            f"data.imbalance: expected a ratio of at most about {first}, as an image has to be left of the last class "
            f"when there are {first} of the first, given {ratio:g}"
        )
    return [min(count, round(first * share)) for count, share in zip(counts, shares, strict=True)]
