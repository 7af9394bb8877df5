"""A set of labelled images, and the identity of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from visionlab.data.mapped import Images, MappedImages

HASH_BYTES = 16


@dataclass(frozen=True)
class ImageSet:
    """Images of one size with their labels.

    Attributes:
        images: (N, C, H, W) uint8, on any device, or still in their file.
        labels: (N,) int64, indices into the data set's class names.
        groups: one entry an image; images with the same entry never part in a split. None: every image by itself.
    """

    images: Images
    labels: Tensor
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Tensor) -> ImageSet:
        """The images at `indices` (K,), in that order."""
        if len(indices) == len(self) and torch.equal(indices, torch.arange(len(self))):
            return self
        groups = None if self.groups is None else tuple(self.groups[i] for i in indices.tolist())
        images = self.images
        chosen = images.subset(indices) if isinstance(images, MappedImages) else images[indices]
        return ImageSet(chosen, self.labels[indices], groups)

    def to(self, device: torch.device) -> ImageSet:
        """The same images in the memory of `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


def content_hashes(images: Images) -> list[bytes]:
    """A hash of each image's pixels and shape; two images have the same one only if they are the same image.

    Args:
        images: (N, C, H, W) uint8 on the CPU, or still in their file.
    """
    source = images if isinstance(images, MappedImages) else MappedImages(np.ascontiguousarray(images.numpy()))
    shape = repr(tuple(images.shape[1:])).encode()

    def hashes(part: list[int]) -> list[bytes]:
        # that arrays are buffers, their type says from Python 3.12 on
        views = (source.view(index) for index in part)
        return [hashlib.blake2b(view, digest_size=HASH_BYTES, key=shape).digest() for view in views]  # type: ignore[arg-type]

    # hashlib lets go of the interpreter's lock on images of 2 kB and more
    with ThreadPoolExecutor() as pool:
        parts = pool.map(hashes, [part.tolist() for part in np.array_split(np.arange(len(images)), 8)])
    return [digest for part in parts for digest in part]


def fingerprint(splits: Mapping[str, tuple[list[bytes], Tensor]]) -> str:
    """Identify labelled content, whatever the order of the images.

    Args:
        splits: by the name of each split, its images' hashes and labels (N,).

    Returns:
        Hexadecimal digits, the same only for the same sets of (split, image, label).
    """
    whole = hashlib.blake2b(digest_size=HASH_BYTES)
    for name, (hashes, labels) in sorted(splits.items()):
        pairs = [digest + label.to_bytes(4, "little") for digest, label in zip(hashes, labels.tolist(), strict=True)]
        whole.update(f"{name} {len(pairs)} ".encode() + b"".join(sorted(pairs)))
    return whole.hexdigest()
