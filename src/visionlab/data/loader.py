"""Batches as index selections on the device that holds the images. No worker processes, nothing to transfer.

Images that are too many for the memory stay in their file: a thread reads the next batches from there, and each
travels to the device when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from visionlab.data.augment.geometry import centre_crop
from visionlab.data.images import ImageSet
from visionlab.data.mapped import MappedImages
from visionlab.data.sampler import Draw, shuffled


class Batch(NamedTuple):
    """One step's worth of images.

    Attributes:
        images: (B, C, H, W) float32, normalised.
        targets: (B,) int64 class indices, or (B, K) class probabilities where images were mixed.
        indices: (B,) int64, where the images stand in their set.
    """

    images: Tensor
    targets: Tensor
    indices: Tensor


class Transform(Protocol):
    """Batched augmentation: see `visionlab.data.augment.Augment`."""

    def __call__(
        self, images: Tensor, labels: Tensor, indices: Tensor, epoch: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]: ...


class DeviceLoader:
    """Iterates over the batches of one epoch, or over this process's share of them.

    Batch k of an epoch holds the same images whatever the number of processes: each takes every `world_size`-th image
    of it. So nothing is padded or left out, and every process makes the same number of steps; where a batch has fewer
    images than there are processes, some get an empty one.

    Args:
        source: the images, already on the device or still in their file.
        mean, std: per channel, of pixel values scaled to 0…1.
        batch_size: images in a batch, over all processes together.
        shuffle: whether each epoch has an order of its own and drops an incomplete last batch (training), or all
            epochs go through the images as they stand (evaluation).
        draw: of the images of an epoch that is shuffled; its incomplete last batch is left out, too.
        seed: of order and augmentation.
        transform: augmentation, or None.
        side: without augmentation, of the square that is cut out of the middle of each image; None: it stays whole.
        channels_last: memory format of the batches.
        device: of the batches, if it is another than that of the images.
    """

    def __init__(
        self,
        source: ImageSet,
        *,
        mean: Tensor,
        std: Tensor,
        batch_size: int,
        shuffle: bool,
        draw: Draw = shuffled,
        seed: int = 0,
        transform: Transform | None = None,
        side: int | None = None,
        rank: int = 0,
        world_size: int = 1,
        channels_last: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self.device = device = source.images.device if device is None else device
        self.source = source
        self.batch_size = min(batch_size, max(len(source), 1))
        self.shuffle, self.seed, self.transform, self.side = shuffle, seed, transform, side
        self.rank, self.world_size = rank, world_size
        self._draw = draw
        self.epoch = 0
        self._first = self._done = 0
        self._scale = (1 / (255 * std)).view(1, -1, 1, 1).to(device)
        self._shift = (-mean / std).view(1, -1, 1, 1).to(device)
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    def __len__(self) -> int:
        full, rest = divmod(len(self.source), self.batch_size)
        return full if self.shuffle else full + bool(rest)

    # Lightning looks for `set_epoch` at the sampler, and reads `batch_sampler` of whatever has one
    batch_sampler = None

    @property
    def sampler(self) -> DeviceLoader:
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order and the augmentation of the next iteration; Lightning calls this before each epoch."""
        self.epoch = epoch

    def order(self) -> Tensor:
        """The indices (N,) of this epoch in the order of their use, on the CPU, the same in every process."""
        if not self.shuffle:
            return torch.arange(len(self.source))
        return self._draw(self.source.labels.cpu(), _generator(torch.device("cpu"), self.seed, self.epoch))

    def indices(self, step: int) -> Tensor:
        """The indices (B,) of batch `step` of this epoch, over all processes, on the CPU."""
        return self._select(self.order(), step)

    def state_dict(self) -> dict[str, int]:
        """How many batches of the epoch have been handed out."""
        return {"done": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next iteration behind those batches; at the start, if they were the whole epoch."""
        self._first = state["done"] % max(len(self), 1)

    def __iter__(self) -> Iterator[Batch]:
        order = self.order().to(self.source.images.device)
        first, self._first = self._first, 0
        chosen = [self._select(order, step)[self.rank :: self.world_size] for step in range(first, len(self))]
        for step, (indices, images) in enumerate(zip(chosen, self._read(chosen), strict=True), start=first):
            self._done = step + 1
            targets = self.source.labels[indices].to(self.device)
            images, indices = images.to(self.device), indices.to(self.device)
            if self.transform is not None:
                # a generator for each step, so that a run resumed in the middle of an epoch draws the same numbers
                generator = _generator(self.device, self.seed, self.epoch, step, self.rank)
                images, targets = self.transform(images, targets, indices, self.epoch, generator)
            elif self.side is not None:
                images = centre_crop(images, self.side)
            yield Batch(self._normalise(images), targets, indices)

    def _read(self, chosen: list[Tensor]) -> Iterator[Tensor]:
        """The images (B, C, H, W) uint8 of each batch."""
        images = self.source.images
        return images.read_ahead(chosen) if isinstance(images, MappedImages) else map(images.__getitem__, chosen)

    def _select(self, order: Tensor, step: int) -> Tensor:
        return order[step * self.batch_size : (step + 1) * self.batch_size]

    def _normalise(self, images: Tensor) -> Tensor:
        """(B, C, H, W) in 0…255, uint8 or float32 -> float32 with the data set's mean 0 and variance 1."""
        images = images.to(torch.float32, memory_format=self._format)
        return torch.addcmul(self._shift, images, self._scale)


def seed_generator(generator: torch.Generator, *key: int) -> torch.Generator:
    """Make the stream of `generator` a function of `key` alone."""
    # a hash of a tuple of integers is the same in every process, unlike one of strings
    return generator.manual_seed(hash(key) & 0x7FFF_FFFF_FFFF_FFFF)


def _generator(device: torch.device, *key: int) -> torch.Generator:
    """A generator whose stream is a function of `key` alone."""
    return seed_generator(torch.Generator(device), *key)
