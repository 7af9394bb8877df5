"""What a frozen network says of images, handed out in place of the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from visionlab.data.feature_file import Features
from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader
from visionlab.data.memory import available_memory, available_on_gpu


class FeatureLoader(DeviceLoader):
    """The batches of a `DeviceLoader`, with features (B, F) where that has images (B, C, H, W).

    Epoch e is made from view e, and where there are no more from the first one again. On a CPU the features stay in
    their file, which the system keeps in memory; to an accelerator they are copied once, if they take no more than half
    of what is left of its memory.

    Args:
        features: of the images of `source`, in their order.
        source, others: as for `DeviceLoader`; nothing is augmented.
    """

    def __init__(self, features: Features, source: ImageSet, **others: Any) -> None:
        super().__init__(source, **others)
        self._features = features if _stay_in_file(features, self.device) else _copied(features, self.device)

    def _read(self, chosen: list[Tensor]) -> Iterator[Tensor]:
        view = self._features[self.epoch % len(self._features)]
        for indices in chosen:
            if isinstance(view, Tensor):
                yield view[indices.to(view.device)]
            else:
                # a copy of the rows alone: the file is larger than what is needed, and not to be written to
                yield torch.from_numpy(np.take(view, indices.cpu().numpy(), axis=0))

    def _normalise(self, images: Tensor) -> Tensor:
        return images


def _stay_in_file(features: Features, device: torch.device) -> bool:
    if device.type == "cpu":
        return True
    return features.nbytes > (available_on_gpu(device.index) if device.type == "cuda" else available_memory()) / 2


def _copied(features: Features, device: torch.device) -> Tensor:
    """(V, N, F) on `device`, view by view, so that no second copy has to fit into this machine's memory."""
    whole = torch.empty(features.shape, device=device)
    for number, view in enumerate(features):
        whole[number] = torch.from_numpy(np.array(view))
    return whole
