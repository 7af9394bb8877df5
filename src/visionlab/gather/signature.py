"""What images are compared by: perceptual hashes and a thumbnail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

THUMBNAIL = 32  # pixels of a side
CANVAS, HASHED = 64, 32  # pixels of a side of what crops are cut from, and of what is hashed


class Window(NamedTuple):
    """A part of an image, from 0 to 1 of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Window(0, 0, 1, 1)


# where copies that were cut are looked for: in the middle, and evenly spread
_MIDDLES = [Window(cut / 2, cut / 2, 1 - cut / 2, 1 - cut / 2) for cut in (0.1, 0.3)]
_SPREAD = [Window(left, top, left + 0.8, top + 0.8) for top in (0, 0.1, 0.2) for left in (0, 0.1, 0.2)]

# what the columns of the hashes are of; the second is the mirror image
COLUMNS = (WHOLE, WHOLE, *_MIDDLES, *_SPREAD)
PLAIN, MIRRORED = 0, 1


class Signature(NamedTuple):
    """Of one image.

    Attributes:
        hashes: (len(COLUMNS),) uint64.
        thumbnail: (32, 32, 3) uint8, the whole image squeezed to a square.
    """

    hashes: NDArray[np.uint64]
    thumbnail: NDArray[np.uint8]


@dataclass(frozen=True)
class Signatures:
    """Of N images.

    Attributes:
        hashes: (N, len(COLUMNS)) uint64.
        thumbnails: (N, 32, 32, 3) uint8.
    """

    hashes: NDArray[np.uint64]
    thumbnails: NDArray[np.uint8]

    @staticmethod
    def of(signatures: Sequence[Signature]) -> Signatures:
        """One after the other in the order given."""
        if not signatures:
            shape = (0, THUMBNAIL, THUMBNAIL, 3)
            return Signatures(np.zeros((0, len(COLUMNS)), np.uint64), np.zeros(shape, np.uint8))
        return Signatures(
            np.stack([signature.hashes for signature in signatures]),
            np.stack([signature.thumbnail for signature in signatures]),
        )

    def __len__(self) -> int:
        return len(self.hashes)


def sign(image: Image.Image) -> Signature:
    """The signature of an upright RGB image.

    The hashes are 64-bit pHashes of the library ImageHash: the signs, about their median, of the 8 x 8 lowest
    frequencies of the cosine transform of 32 x 32 grey pixels.
    """
    canvas = image.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC, reducing_gap=2.0)
    grey = canvas.convert("L")
    whole = _cut(grey, WHOLE)
    hashed = [whole, ImageOps.mirror(whole), *(_cut(grey, window) for window in COLUMNS[2:])]
    thumbnail = canvas.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return Signature(np.array([_phash(part) for part in hashed], np.uint64), np.asarray(thumbnail))


def _cut(grey: Image.Image, window: Window) -> Image.Image:
    left, top, right, bottom = (CANVAS * edge for edge in window)
    return grey.resize((HASHED, HASHED), Image.Resampling.LANCZOS, (left, top, right, bottom))


def _phash(grey: Image.Image) -> int:
    return int(np.packbits(imagehash.phash(grey).hash).view(">u8")[0])
