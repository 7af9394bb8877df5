"""An image file of any kind as pixels of one size."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Color = Literal["rgb", "grey"]
CHANNELS: dict[Color, int] = {"rgb": 3, "grey": 1}

# change it with every change that gives other pixels: caches are made anew
VERSION = 1

MACHINE_ERRORS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT)
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BrokenImageError(Exception):
    """The file holds no image that can be read. The message is the reason, in a few words."""


def decode(file: Path, size: int, color: Color) -> NDArray[np.uint8]:
    """Read an image, turned as its EXIF orientation says, scaled and cropped to a square.

    The shorter side is brought to `size` (bicubic, antialiased), then the middle is cut out: the usual practice of
    evaluation. Of an animation the first frame counts; transparent pixels are laid over white; 16-bit grey is scaled
    to 8 bits; colour profiles are not applied.

    Returns:
        (C, size, size), C = 3 for rgb and 1 for grey.

    Raises:
        BrokenImageError: the file is missing, forbidden, damaged or of a kind that cannot be read.
        OSError: the machine failed, not the file.
    """
    try:
        if not file.is_file() and file.exists():
            raise ValueError("a pipe or a device, not a file")  # whose end may never come
        with Image.open(file) as image:
            # JPEGs are decoded at 1/2, 1/4 or 1/8 of their size, which still leaves a factor of two to antialias
            image.draft("L" if color == "grey" else "RGB", (2 * size, 2 * size))
            image.load()
            plain = opaque(image).convert("L" if color == "grey" else "RGB")
            square = centre_square(plain, size)
            turn = orientation(image)
    # decoders meet damaged files with exceptions of every kind
    except Exception as error:
        if isinstance(error, OSError) and error.errno in MACHINE_ERRORS:
            raise OSError(error.errno, error.strerror, str(file)) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BrokenImageError(_short(reason) or type(error).__name__) from error
    if turn in TRANSPOSE:
        square = square.transpose(TRANSPOSE[turn])
    pixels = np.asarray(square).reshape(size, size, CHANNELS[color])
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def opaque(image: Image.Image) -> Image.Image:
    """The same image with 8 bits a channel and without transparency.

    Raises:
        ValueError: the pixels are neither of 8 nor of 16 bits.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image)
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image.convert("RGBA"))
    return white


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey with 16 bits a pixel, 0 black and 65535 white, as grey with 8 bits."""
    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("expected pixels of 8 or 16 bits, found floating point, negative or 32-bit values")
    return Image.fromarray(((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8))


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """The middle of an image, the shorter side as long as it is, scaled to a square (bicubic, antialiased)."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))


def orientation(image: Image.Image) -> int:
    """As EXIF says, 1 to 8; 1 (upright) where it says nothing or nothing sensible."""
    # read after loading: Pillow turns TIFF images itself, and then removes the entry
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - a damaged EXIF block must not cost the image, whatever it makes Pillow raise
        return 1


def _short(reason: str) -> str:
    """The first line of a message, without the names of objects in memory."""
    return "not an image of a known kind" if reason.startswith("cannot identify") else reason.partition("\n")[0]
