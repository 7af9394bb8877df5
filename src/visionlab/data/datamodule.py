"""The LightningDataModule that every data set is a subclass of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

import lightning.pytorch as pl
import torch
from torch import Tensor

from visionlab.config.data import DataConfig
from visionlab.data.augment import Augment
from visionlab.data.augment.geometry import centre_crop
from visionlab.data.division import divide
from visionlab.data.feature_file import Features
from visionlab.data.features import FeatureLoader
from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader
from visionlab.data.mapped import stays_in_file
from visionlab.data.sampler import DRAWS
from visionlab.data.spec import DataSpec
from visionlab.data.statistics import statistics
from visionlab.errors import UserError, WithheldError

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
        side: of the square that the network sees; None: it sees images whole. Larger images are cut: at random in
            training, in the middle for evaluation.
        is_whole_domain: whether the training images are all that there can be, such as a truth table: then they are
            validated and tested on too.
        notes: what was noticed while reading, such as what was left out, and how many images it is about. Words and
            spaces only: they become names of tags.
        origin: where the images come from, by names that become names of tags.
    """

    train: ImageSet
    test: ImageSet | None
    classes: tuple[str, ...]
    val: ImageSet | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    test_fraction: float = 0.2
    side: int | None = None
    is_whole_domain: bool = False
    notes: dict[str, int] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)


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
        self.origin: dict[str, str] = {}
        self._side: int | None = None
        self._sets: dict[str, ImageSet] = {}
        self._features: dict[str, Features] = {}
        self._placement = _Placement()

    @abstractmethod
    def read(self) -> Raw:
        """Read the data set from this machine."""

    def setup(self, stage: str | None = None) -> None:
        """Read and split, once. Every process comes to the same splits by itself."""
        if self._sets:
            return
        raw = self.read()
        self.classes, self.notes, self.origin, self._side = raw.classes, dict(raw.notes), raw.origin, raw.side
        self._check_positive_class()
        divided = divide(raw, self.config)
        self.fingerprint = divided.fingerprint
        self.notes |= divided.notes
        self._sets = divided.sets
        given = torch.tensor(raw.mean or ()), torch.tensor(raw.std or ())
        self.mean, self.std = statistics(self._sets["train"].images) if raw.mean is None else given

    def place(self, device: torch.device, rank: int, world_size: int, channels_last: bool) -> None:
        """Say where the loaders' batches are to be made and which share of them is this process's.

        Images that are in a file stay there if they would take up much of the memory, be it this machine's or a GPU's.
        """
        self._placement = _Placement(device, rank, world_size, channels_last)
        for name, part in self._sets.items():
            if not stays_in_file(part.images, device, world_size):
                self._sets[name] = part.to(device)

    def normalise_by(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Normalise images by these instead of by the data set's own: a network that has learnt from others needs it.

        Args:
            mean, std: per channel, of pixel values scaled to 0…1.
        """
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def hand_out_features(self, features: Mapping[str, Features]) -> None:
        """From now on, hand out features (B, F) in place of the images of some splits, and of all others images.

        Args:
            features: by the name of the split, in the order of its images.
        """
        self._features = dict(features)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of images in each split."""
        return {name: len(images) for name, images in self._sets.items()}

    @property
    def has_validation(self) -> bool:
        return "val" in self._sets

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image as the network sees it."""
        channels, height, width = self._sets["train"].images.shape[1:]
        return channels, self._side or height, self._side or width

    @property
    def train_shapes(self) -> list[tuple[int, int, int]]:
        """(C, H, W) of training images, which progressive resizing lets change, in the order of their first use."""
        channels = self.image_shape[0]
        scaled = [(channels, side, side) for side in self.config.augment.progressive]
        return list(dict.fromkeys([*scaled, self.image_shape]))

    @property
    def class_counts(self) -> Tensor:
        """(K,) training images of each class."""
        return self._sets["train"].labels.bincount(minlength=len(self.classes))

    def counts(self, split: str) -> dict[str, int]:
        """Images of a split by the name of their class, in the order of the labels."""
        numbers = self._sets[split].labels.bincount(minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, numbers, strict=True))

    @property
    def spec(self) -> DataSpec:
        """What a network that is trained on this takes for granted."""
        channels, height, width = self._sets["train"].images.shape[1:]
        return DataSpec(
            self.classes,
            tuple(self.class_counts.tolist()),
            self.positive,
            (channels, height, width),
            self._side,
            tuple(self.mean.tolist()),
            tuple(self.std.tolist()),
        )

    def state_dict(self) -> dict[str, Any]:
        """The `spec`: Lightning puts it into checkpoints, under the name of this class."""
        return asdict(self.spec)

    @property
    def positive(self) -> int | None:
        """The label that rates are reported for, where there are two classes."""
        if len(self.classes) != 2:
            return None
        return 1 if self.config.positive_class is None else self.classes.index(self.config.positive_class)

    def images(self, name: str) -> ImageSet:
        """The split called `name`: train, val or test. Its images may be larger than the network sees them.

        Raises:
            WithheldError: it is the test split, and was withheld.
        """
        if name == "test" and name not in self._sets:
            raise WithheldError("the test set is withheld: campaigns choose by validation, and test nothing")
        return self._sets[name]

    def pixels(self, name: str, indices: Sequence[int]) -> Tensor:
        """Images (K, C, H, W) uint8 of a split, at K indices, as the network sees them in evaluation."""
        images = self.images(name).images[torch.tensor(indices)]
        return images if self._side is None else centre_crop(images, self._side)

    @property
    def train_batch_size(self) -> int:
        """Images in a training step, over all processes."""
        return min(self.config.batch_size, len(self._sets["train"]))

    def withhold_test(self) -> None:
        """Hand out no test images from now on: what is chosen from many runs must not be chosen by them."""
        self._sets.pop("test", None)

    def keep_one_batch(self) -> None:
        """Train on one batch and validate on the same images, to see whether the network can learn them by heart."""
        train = self._sets["train"].subset(torch.arange(self.train_batch_size))
        self._sets |= {"train": train, "val": train}

    def evaluation_loader(self, name: str, batch_size: int) -> DeviceLoader:
        """The images of a split in their order, not augmented."""
        return self._loader(name, batch_size, shuffle=False)

    def train_dataloader(self) -> DeviceLoader:
        augment = Augment(self.config.augment, len(self.classes), self.mean, self._side)
        return self._loader("train", self.config.batch_size, shuffle=True, transform=augment)

    def val_dataloader(self) -> DeviceLoader | list[DeviceLoader]:
        return self.evaluation_loader("val", self.config.eval_batch_size) if self.has_validation else []

    def test_dataloader(self) -> DeviceLoader:
        return self.evaluation_loader("test", self.config.eval_batch_size)

    def _loader(self, name: str, batch_size: int, shuffle: bool, transform: Augment | None = None) -> DeviceLoader:
        place = self._placement
        settings: dict[str, Any] = {
            "mean": self.mean,
            "std": self.std,
            "batch_size": batch_size,
            "shuffle": shuffle,
            "draw": DRAWS[self.config.sampler],
            "seed": self.seed,
            "rank": place.rank,
            "world_size": place.world_size,
            "device": place.device,
        }
        if name in self._features:
            return FeatureLoader(self._features[name], self.images(name), **settings)
        return DeviceLoader(
            self.images(name), transform=transform, side=self._side, channels_last=place.channels_last, **settings
        )

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
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    world_size: int = 1
    channels_last: bool = False
