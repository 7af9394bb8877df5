"""Logic gates: the points of a truth table as tiny images, one pixel for each input.

Minsky and Papert 1969, Perceptrons: what a single unit can and cannot tell apart of them.
"""

from __future__ import annotations

import itertools

import torch

from visionlab.config.data import Gate, GatesConfig
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.images import ImageSet

TABLES: dict[Gate, tuple[int, ...]] = {  # the outputs for inputs 00, 01, 10, 11; of not for 0, 1
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "not": (1, 0),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xor": (0, 1, 1, 0),
    "xnor": (1, 0, 0, 1),
}


class Gates(ImageDataModule[GatesConfig]):
    """All inputs that there are, (N, 1, 1, I) with 0 and 255, which the network sees as exactly 0 and 1.

    They are what is trained, validated and tested on: nothing is left to generalise to.
    """

    def read(self) -> Raw:
        outputs = TABLES[self.config.gate]
        inputs = list(itertools.product((0, 1), repeat=len(outputs).bit_length() - 1))
        pixels = (255 * torch.tensor(inputs, dtype=torch.uint8)).view(len(inputs), 1, 1, -1)
        points = ImageSet(pixels, torch.tensor(outputs))
        return Raw(points, None, ("0", "1"), mean=(0.0,), std=(1.0,), is_whole_domain=True)
