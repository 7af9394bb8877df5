"""What a frozen network says of images, handed out in place of the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader

Features = NDArray[np.float32]  # (V, N, F): of V views of N images, mapped from a file


class FeatureLoader(DeviceLoader):
    """The batches of a `DeviceLoader`, with features (B, F) where that has images (B, C, H, W).

    Epoch e is made from view e, and where there are no more from the first one again.

    Args:
        features: of the images of `source`, in their order.
        source, others: as for `DeviceLoader`; nothing is augmented.
    """

    def __init__(self, features: Features, source: ImageSet, **others: Any) -> None:
        super().__init__(source, **others)
        self._features = features

    def _read(self, chosen: list[Tensor]) -> Iterator[Tensor]:
        view = self._features[self.epoch % len(self._features)]
        for indices in chosen:
            # a copy of the rows alone: the file is larger than what is needed, and not to be written to
            yield torch.from_numpy(np.take(view, indices.cpu().numpy(), axis=0)).to(indices.device)

    def _normalise(self, images: Tensor) -> Tensor:
        return images
