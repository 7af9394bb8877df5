"""Images that stay in their file until they are used, so that a data set may be larger than the memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionlab.data.memory import available_memory, available_on_gpu

AHEAD = 2  # batches that are read while one is in use
PART = 1 << 22  # bytes of images that are looked at together where all are gone through


class MappedImages:
    """Some of the images of a memory-mapped file, in an order of their own; read again whenever they are asked for.

    It answers to what is asked of a tensor (N, C, H, W) of images: shape, device, a choice by indices, a copy on a
    device. What it hands out is a copy, so that nobody can write to the file.

    Args:
        pixels: (M, C, H, W) uint8, mapped for reading; the memory is the file system's, which takes it back at need.
        rows: (N,) int64, which of the M images these are; None for all.
    """

    device = torch.device("cpu")

    def __init__(self, pixels: NDArray[np.uint8], rows: NDArray[np.int64] | None = None) -> None:
        self._pixels = pixels
        self._rows = np.arange(len(pixels)) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return torch.Size((len(self), *self._pixels.shape[1:]))

    @property
    def nbytes(self) -> int:
        """Length of the images in memory, were they all there."""
        return self.shape.numel()

    def view(self, index: int) -> NDArray[np.uint8]:
        """One image (C, H, W), not copied and not to be written to."""
        pixels: NDArray[np.uint8] = self._pixels[self._rows[index]]
        return pixels

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Copies (K, C, H, W) of the images at `indices` (K,)."""
        # unlike an index in brackets, `take` copies whole images at a time, and without the interpreter's lock
        return torch.from_numpy(np.take(self._pixels, self._rows[indices.numpy()], axis=0))

    def subset(self, indices: Tensor) -> MappedImages:
        """The images at `indices` (K,), in that order, still in the file."""
        return MappedImages(self._pixels, self._rows[indices.numpy()])

    def split(self, size: int) -> Iterator[Tensor]:
        """Copies of all images in their order, `size` at a time."""
        return map(self.__getitem__, torch.arange(len(self)).split(size))

    def to(self, device: torch.device) -> Tensor:
        """A copy of all images on `device`, made part by part."""
        whole = torch.empty(self.shape, dtype=torch.uint8, device=device)
        start = 0
        for part in parts(self):
            whole[start : start + len(part)] = part
            start += len(part)
        return whole

    def read_ahead(self, selections: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images at each of `selections`; while one selection is in use, the next ones are read."""
        pending: deque[Future[Tensor]] = deque()
        with ThreadPoolExecutor(AHEAD) as pool:
            for indices in selections:
                pending.append(pool.submit(self.__getitem__, indices))
                if len(pending) > AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()


Images = Tensor | MappedImages


def parts(images: Images) -> Iterable[Tensor]:
    """All images (n, C, H, W) in their order, a few megabytes at a time."""
    return images.split(max(1, PART // images.shape[1:].numel()))


def stays_in_file(images: Images, device: torch.device, processes: int) -> bool:
    """Whether the copies that `processes` would make of the images would fill half of the memory, each on its GPU."""
    if not isinstance(images, MappedImages):
        return False
    left = available_on_gpu(device.index) if device.type == "cuda" else available_memory() / processes
    return images.nbytes > left / 2
