"""What a network takes for granted about its data: kept in its checkpoints, so that it works where the data is not."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, tensor


@dataclass(frozen=True)
class DataSpec:
    """How images are put before a network in evaluation, and what its outputs mean. Plain values: they are saved.

    Attributes:
        classes: names, by label.
        counts: training images of each class.
        positive: of two classes, the label that rates are reported for.
        stored_shape: (C, H, W) that images are brought to first.
        side: of the square that is then cut out of their middle; None: the network sees them whole.
        mean, std: per channel, of pixel values scaled to 0…1.
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    positive: int | None
    stored_shape: tuple[int, int, int]
    side: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def class_counts(self) -> Tensor:
        """(K,) training images of each class."""
        return tensor(self.counts)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image as the network sees it."""
        channels, height, width = self.stored_shape
        return channels, self.side or height, self.side or width
