"""Pictures made of random numbers, no two alike, and the many forms that a picture has on the web."""

from __future__ import annotations

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageOps

SIZE = (480, 360)
USUAL: dict[str, dict[str, object]] = {"JPEG": {"quality": 90}, "WEBP": {"quality": 90}, "PNG": {"compress_level": 1}}


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth fields of colour with shapes in front of them. Another seed gives quite another picture."""
    random = np.random.default_rng([seed, 7])
    field = _field(random, (7, 7), size)
    image = Image.blend(field, _field(random, (40, 30), size), 0.15)
    draw = ImageDraw.Draw(image)
    for kind in random.integers(0, 3, 6):
        x, y = random.uniform(-0.1, 0.8, 2) * size
        width, height = random.uniform(0.1, 0.4, 2) * size
        color = tuple(int(level) for level in random.integers(0, 256, 3))
        box = (float(x), float(y), float(x + width), float(y + height))
        if kind == 0:
            draw.ellipse(box, fill=color)
        elif kind == 1:
            draw.rectangle(box, outline=color, width=max(2, size[0] // 60))
        else:
            draw.line(box, fill=color, width=max(2, size[0] // 50))
    return image


def _field(random: np.random.Generator, grid: tuple[int, int], size: tuple[int, int]) -> Image.Image:
    levels = random.integers(0, 256, (grid[1], grid[0], 3), dtype=np.uint8)
    return Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """A picture as a file of the form that Pillow calls JPEG, PNG, WEBP, …."""
    stream = io.BytesIO()
    image.save(stream, form, **(USUAL.get(form, {}) | options))
    return stream.getvalue()


def decoded(data: bytes) -> Image.Image:
    """The picture in a file, as RGB."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def cropped(image: Image.Image, extent: float, left: float = 0.5, top: float = 0.5) -> Image.Image:
    """The part that has `extent` of each side; `left` and `top` tell where, from 0 to 1."""
    width, height = round(image.width * extent), round(image.height * extent)
    x, y = round((image.width - width) * left), round((image.height - height) * top)
    return image.crop((x, y, x + width, y + height))


def rotated_by_exif(image: Image.Image) -> bytes:
    """A JPEG whose pixels lie on their side, with the note in its EXIF that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return encoded(image.transpose(Image.Transpose.ROTATE_90), quality=90, exif=exif)


def cmyk(image: Image.Image) -> bytes:
    return encoded(image.convert("CMYK"))


def sixteen_bits(image: Image.Image) -> bytes:
    """A PNG of 16 bits, grey."""
    grey = np.asarray(image.convert("L"), np.uint16) * 257
    return encoded(Image.fromarray(grey), "PNG")


def animated(seed: int, form: str) -> bytes:
    """A GIF or WEBP of three pictures."""
    first, *others = (picture(seed + number, (160, 120)) for number in range(3))
    return encoded(first, form, save_all=True, append_images=others, duration=80)


def truncated(data: bytes) -> bytes:
    """The first half of a file."""
    return data[: len(data) // 2]


@functools.cache
def bomb(side: int = 30_000) -> bytes:
    """A sound PNG of few bytes that becomes `side` x `side` black pixels."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)  # of one bit a pixel; the first byte says that it is not filtered
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def mirrored(image: Image.Image) -> Image.Image:
    return ImageOps.mirror(image)
