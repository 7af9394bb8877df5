"""The LightningDataModule that every data set is a subclass of."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import lightning.pytorch as pl
import torch
from torch import Tensor

from visionlab.config.data import DataConfig
from visionlab.data.augment import Augment
from visionlab.data.images import ImageSet, content_hashes, fingerprint
from visionlab.data.loader import DeviceLoader
from visionlab.data.splits import split, without
from visionlab.errors import UserError

Config = TypeVar("Config", bound=DataConfig)


@dataclass(frozen=True)
class Raw:
    """A data set as it was found, before any split.

    Attributes:
        train: the images to train and validate on.
        test: the official test set, or None: then `test_fraction` of `train` is split off, the same for every seed.
        val: a validation set of the data set's own, or None: then `val_fraction` of `train` is split off.
        classes: names, by label.
        mean, std: per channel, of pixel values scaled to 0…1, or None: then they are computed from the training split.
        notes: what a user should know about how the images were read, for example how many were left out.
    """

    train: ImageSet
    test: ImageSet | None
    classes: tuple[str, ...]
    val: ImageSet | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    test_fraction: float = 0.2
    notes: dict[str, int] = field(default_factory=dict)


class ImageDataModule(pl.LightningDataModule, Generic[Config]):
    """Splits a data set, holds it on the training device, and hands out the loaders.

    A data set of one's own overrides `read` and, where something has to be fetched first, `prepare_data`.
    """

    def __init__(self, config: Config, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.seed = seed
        self.classes: tuple[str, ...] = ()
        self.mean = self.std = torch.empty(0)
        self.fingerprint = ""
        self.notes: dict[str, int] = {}
        self._sets: dict[str, ImageSet] = {}
        self._placement = _Placement()

    @abstractmethod
    def read(self) -> Raw:
        """Read the data set from this machine."""

    def setup(self, stage: str | None = None) -> None:
        """Read and split, once. Every process comes to the same splits by itself."""
        if self._sets:
            return
        raw = self.read()
        config, train, test = self.config, raw.train, raw.test
        self.classes, self.notes = raw.classes, dict(raw.notes)
        self._check_positive_class()

        hashes = content_hashes(train.images)
        test_hashes = content_hashes(test.images) if test is not None else []
        self.fingerprint = fingerprint(hashes + test_hashes, torch.cat([train.labels, *([test.labels] if test else [])]))
        if test is None:
            keep, held_out = split(train, hashes, raw.test_fraction, seed=0, purpose="test")
            test, test_hashes = train.subset(held_out), [hashes[i] for i in held_out.tolist()]
            train, hashes = train.subset(keep), [hashes[i] for i in keep.tolist()]
        val, val_hashes = raw.val, content_hashes(raw.val.images) if raw.val is not None else []
        train, hashes = self._disjoint(train, hashes, test_hashes + val_hashes, "training images that are test images")
        if config.fraction < 1:
            _, used = split(train, hashes, config.fraction, config.split_seed, "fraction")
            train, hashes = train.subset(used), [hashes[i] for i in used.tolist()]
        if val is None and config.val_fraction > 0:
            keep, held_out = split(train, hashes, config.val_fraction, config.split_seed, "validation")
            train, val = train.subset(keep), train.subset(held_out)
        if len(train) == 0:
            raise UserError(f"data {config.name}: no training image is left after the splits")
        self._sets = {"train": train, "test": test} | ({"val": val} if val is not None and len(val) else {})
        self.mean, self.std = _statistics(train.images) if raw.mean is None else _given(raw)

    def place(self, device: torch.device, rank: int, world_size: int, channels_last: bool) -> None:
        """Say where the loaders' batches are to be made and which share of them is this process's."""
        self._placement = _Placement(device, rank, world_size, channels_last)
        self._sets = {name: images.to(device) for name, images in self._sets.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images in each split."""
        return {name: len(images) for name, images in self._sets.items()}

    @property
    def has_validation(self) -> bool:
        return "val" in self._sets

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self._sets["train"].images.shape[1:]
        return channels, height, width

    @property
    def positive(self) -> int | None:
        """The label that rates are reported for, where there are two classes."""
        if len(self.classes) != 2:
            return None
        return 1 if self.config.positive_class is None else self.classes.index(self.config.positive_class)

    def images(self, name: str) -> ImageSet:
        """The split called `name`: train, val or test."""
        return self._sets[name]

    @property
    def train_batch_size(self) -> int:
        """Images in a training step, over all processes."""
        return min(self.config.batch_size, len(self._sets["train"]))

    def keep_one_batch(self) -> None:
        """Train on one batch and validate on the same images, to see whether the network can learn them by heart."""
        train = self._sets["train"].subset(torch.arange(self.train_batch_size))
        self._sets |= {"train": train, "val": train}

    def evaluation_loader(self, name: str, batch_size: int) -> DeviceLoader:
        """The images of a split in their order, not augmented."""
        return self._loader(name, batch_size, shuffle=False)

    def train_dataloader(self) -> DeviceLoader:
        augment = Augment(self.config.augment, len(self.classes), self.mean)
        return self._loader("train", self.config.batch_size, shuffle=True, transform=augment)

    def val_dataloader(self) -> DeviceLoader | list[DeviceLoader]:
        return self.evaluation_loader("val", self.config.eval_batch_size) if self.has_validation else []

    def test_dataloader(self) -> DeviceLoader:
        return self.evaluation_loader("test", self.config.eval_batch_size)

    def _loader(self, name: str, batch_size: int, shuffle: bool, transform: Augment | None = None) -> DeviceLoader:
        place = self._placement
        return DeviceLoader(
            self._sets[name],
            mean=self.mean,
            std=self.std,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=self.seed,
            transform=transform,
            rank=place.rank,
            world_size=place.world_size,
            channels_last=place.channels_last,
        )

    def _disjoint(
        self, train: ImageSet, hashes: list[bytes], held_out: list[bytes], note: str
    ) -> tuple[ImageSet, list[bytes]]:
        """Leave out of the training images those that are also held out."""
        keep = without(hashes, held_out)
        if len(keep) < len(train):
            self.notes[f"{note}, left out"] = len(train) - len(keep)
        return train.subset(keep), [hashes[i] for i in keep.tolist()]

    def _check_positive_class(self) -> None:
        positive = self.config.positive_class
        if positive is None:
            return
        if len(self.classes) != 2 or positive not in self.classes:
            names = ", ".join(self.classes)
            expected = "one of the two classes" if len(self.classes) == 2 else "no value, as there are not two classes"
            raise UserError(f"data.positive_class: expected {expected} ({names}), given {positive!r}")


@dataclass(frozen=True)
class _Placement:
    device: torch.device = torch.device("cpu")
    rank: int = 0
    world_size: int = 1
    channels_last: bool = False


def _given(raw: Raw) -> tuple[Tensor, Tensor]:
    return torch.tensor(raw.mean), torch.tensor(raw.std)


def _statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of (N, C, H, W) uint8 pixels scaled to 0…1."""
    total = torch.zeros(images.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for part in images.split(1024):
        values = part.to(torch.float64) / 255
        total += values.sum(dim=(0, 2, 3))
        squares += values.square().sum(dim=(0, 2, 3))
    count = images.numel() / images.shape[1]
    mean = total / count
    std = (squares / count - mean**2).clamp_min(0).sqrt().clamp_min(1 / 255)
    return mean.float(), std.float()
