"""CIFAR-10 (Krizhevsky 2009): 50,000 training and 10,000 test images, 32x32 RGB, 10 classes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from visionlab.config.data import Cifar10Config
from visionlab.data.cifar10_files import CIFAR10, ensure_cifar10
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.images import ImageSet

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
FINGERPRINT = "d6e719ef8f96d01b18087f0031c7f0aa"  # of the published images, labels and split
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)


class Cifar10(ImageDataModule[Cifar10Config]):
    """The official training and test set; a validation set is split off the training set."""

    def prepare_data(self) -> None:
        ensure_cifar10(self.config)

    def setup(self, stage: str | None = None) -> None:
        intact = False
        try:
            super().setup(stage)
            intact = self.fingerprint == FINGERPRINT
        finally:
            # the fingerprint is computed anyway, so MD5s (0.4 s) are needed only to name the file that is damaged
            if not intact:
                CIFAR10.check_content(ensure_cifar10(self.config))

    def read(self) -> Raw:
        folder = ensure_cifar10(self.config)
        meta = _load(folder / "batches.meta")
        classes = tuple(name.decode() for name in meta[b"label_names"])
        count = meta[b"num_cases_per_batch"]
        train, test = (_images(folder, names, count) for names in (TRAIN, TEST))
        return Raw(train, test, classes, mean=MEAN, std=STD)


def _images(folder: Path, names: tuple[str, ...], count: int) -> ImageSet:
    """The images of several batches of `count` images each."""
    images = torch.empty((len(names), count, 3, 32, 32), dtype=torch.uint8)
    labels = torch.empty((len(names), count), dtype=torch.int64)
    for number, name in enumerate(names):
        batch = _load(folder / name)
        images[number].numpy()[:] = np.frombuffer(batch[b"data"].content, np.uint8).reshape(count, 3, 32, 32)
        labels[number] = torch.tensor(batch[b"labels"])
    return ImageSet(images.flatten(0, 1), labels.flatten())


def _load(path: Path) -> dict[bytes, Any]:
    with path.open("rb") as file:
        content: dict[bytes, Any] = _BatchUnpickler(file, encoding="bytes").load()
    return content


class _Array:
    """Stands for a numpy array of a batch; takes the array's bytes and leaves numpy's own code out of it."""

    content = b""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.content = state[-1]


class _BatchUnpickler(pickle.Unpickler):
    """Reads a batch without calling anything that the file names: a pickle may name any function on the machine."""

    def find_class(self, module: str, name: str) -> type[_Array]:
        if (module, name) in {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}:
            return _Array
        raise pickle.UnpicklingError(f"a batch of CIFAR-10 does not hold a {module}.{name}")
