"""What is known of an image file before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]

# the names that a folder or a column may give to a split, in lower case
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class ImageFile:
    """An image file of a data set.

    Attributes:
        path: relative to the data set's folder, with forward slashes; absolute where a `labels.csv` says so.
        label: name of its class.
        split: which set it belongs to.
        group: images with the same group never part in a split. None: the image by itself.
    """

    path: str
    label: str
    split: Split = "train"
    group: str | None = None
