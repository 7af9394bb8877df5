"""scikit-learn's digits: 1,797 grey images of 8x8, 10 classes (Alpaydin and Kaynak 1998). Needs no network."""

from __future__ import annotations

import torch

from visionlab.config.data import DigitsConfig
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.images import ImageSet


class Digits(ImageDataModule[DigitsConfig]):
    """There is no official test set: a fifth of the images is held out, the same ones whatever the seeds."""

    def read(self) -> Raw:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        pixels = torch.from_numpy(bunch.images * (255 / 16)).round().to(torch.uint8)  # (N, 8, 8), 17 grey levels
        train = ImageSet(pixels.unsqueeze(1), torch.from_numpy(bunch.target).long())
        return Raw(train, None, tuple(str(digit) for digit in range(10)))
