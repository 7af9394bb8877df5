"""Whether a file holds an image worth keeping, or one at all, and what is known of it."""

from __future__ import annotations

import hashlib
import io
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageStat, UnidentifiedImageError

from visionlab.config.gather import AcceptConfig
from visionlab.data.decode import MACHINE_ERRORS, TRANSPOSE, opaque, orientation
from visionlab.gather import structure
from visionlab.gather.signature import Signature, sign

# change it with every change that gives other inspections: caches are made anew
VERSION = 1

NOT_AN_IMAGE: Final = "not an image"
TRUNCATED: Final = "truncated"
CORRUPT: Final = "corrupt"
BOMB: Final = "decompression bomb"
TOO_SMALL: Final = "too small"
EXTREME_ASPECT: Final = "extreme aspect"
BLANK: Final = "blank"
ANIMATED: Final = "animated"

# the kinds that are read, by Pillow's names: those that data/listing.py knows the suffix of
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}
ONE_COLOR = 2.0  # standard deviation of all channels, of 255, that noise of compression may leave
LARGE = 20e6  # pixels; such images are decoded one at a time, as each takes hundreds of megabytes
MOST_EXIF = 1000  # parts; Pillow joins them one by one, which takes half a minute for a hostile file
_large = threading.Lock()


class Unfit(Exception):  # noqa: N818 - a verdict
    """The file is not kept. The message is the reason, one of the constants of this module."""


@dataclass(frozen=True)
class Inspection:
    """An image that can be kept, or at least be looked at.

    Attributes:
        width: in pixels, upright.
        height: in pixels, upright.
        format: Pillow's name of what the file holds, whatever its name says: JPEG, PNG, …
        pixel_hash: BLAKE2b, 32 hexadecimal digits, of size and RGB pixels: the same for the same picture however it
            is stored without loss.
        signature: what it is compared by.
    """

    width: int
    height: int
    format: str
    pixel_hash: str
    signature: Signature

    @property
    def suffix(self) -> str:
        """Of a file name that suits the format, as ".jpg"; empty for a format that is never kept."""
        return SUFFIXES.get(self.format, "")


def inspect(file: Path, accept: AcceptConfig) -> Inspection:
    """Decode all of an image and judge it.

    The name of the file counts for nothing. Pixels are taken as `visionlab.data.decode` takes them: upright, RGB,
    transparent ones over white. An image is blank if it has one colour all over but for noise of compression.

    Raises:
        Unfit: it is not to be kept.
        OSError: the file cannot be read: it is missing or forbidden, or the machine failed.
    """
    data = file.read_bytes()
    image, kind = _open(data)
    pixels = image.width * image.height
    if pixels > accept.max_megapixels * 1e6:
        raise Unfit(BOMB)
    with _large if pixels > LARGE else nullcontext():
        upright = _decode(image, data, kind)
        if reason := _fault(upright, accept):
            raise Unfit(reason)
        return _inspection(upright, kind)


def look(file: Path) -> Inspection:
    """Decode an image whatever it is like: whatever `visionlab.data.decode` makes a training image of.

    So every image that is trained or tested on can be compared with the others, also one that gathering would not
    keep: the first picture of an animation, what a damaged file still shows, a kind that is rare on the web.

    Raises:
        Unfit: `visionlab.data.decode` can make nothing of it either.
        OSError: the file cannot be read: it is missing or forbidden, or the machine failed.
    """
    try:
        with Image.open(file) as image, _large if image.width * image.height > LARGE else nullcontext():
            image.load()
            return _inspection(_upright(image), image.format or "")
    except (FileNotFoundError, PermissionError):
        raise
    # decoders meet damaged files with exceptions of every kind
    except Exception as error:
        raise error if _is_of_the_machine(error) else Unfit(_reason(error)) from error


def _inspection(upright: Image.Image, kind: str) -> Inspection:
    return Inspection(*upright.size, kind, _pixel_hash(upright), sign(upright))


def _open(data: bytes) -> tuple[Image.Image, str]:
    """The image with nothing but its header read, and the name of its kind.

    Pillow's own `open` would warn or raise at a number of pixels that is set for the whole process, and try every
    kind that it knows, some of them by starting other programs.
    """
    Image.init()
    if data.count(b"Exif\0\0") > MOST_EXIF:
        raise Unfit(CORRUPT)
    for kind in SUFFIXES:
        factory, accept = Image.OPEN[kind]
        if accept is not None and accept(data[:16]) is True:
            try:
                return factory(io.BytesIO(data), ""), kind
            # decoders meet damaged files with exceptions of every kind
            except Exception as error:
                raise _unfit(error, data, kind) from error
    raise Unfit(NOT_AN_IMAGE)


def _decode(image: Image.Image, data: bytes, kind: str) -> Image.Image:
    try:
        structure.check(data, kind)
        # the pages of a TIFF and the views of a stereo JPEG do not move
        if kind not in ("JPEG", "TIFF") and getattr(image, "is_animated", False):
            raise Unfit(ANIMATED)
        image.load()
        if kind == "JPEG" and _is_filled_up(image, data):
            raise Unfit(TRUNCATED)
        return _upright(image)
    except Exception as error:
        raise _unfit(error, data, kind) from error


def _upright(image: Image.Image) -> Image.Image:
    plain = opaque(image).convert("RGB")
    turn = orientation(image)
    return plain.transpose(TRANSPOSE[turn]) if turn in TRANSPOSE else plain


def _unfit(error: Exception, data: bytes, kind: str) -> Exception:
    """What an exception says of the file; of the machine, the exception itself."""
    if isinstance(error, Unfit) or _is_of_the_machine(error):
        return error
    reason = _reason(error)
    if reason == CORRUPT:
        try:
            structure.check(data, kind)
        except structure.TruncatedError:
            return Unfit(TRUNCATED)
        except structure.ChecksumError:
            pass
    return Unfit(reason)


def _is_of_the_machine(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in MACHINE_ERRORS)


def _reason(error: Exception) -> str:
    """What an exception of a decoder says of the file."""
    if isinstance(error, UnidentifiedImageError):
        return NOT_AN_IMAGE
    if isinstance(error, Image.DecompressionBombError):
        return BOMB
    return TRUNCATED if isinstance(error, structure.TruncatedError) or "truncated" in str(error).lower() else CORRUPT


def _is_filled_up(image: Image.Image, data: bytes) -> bool:
    """Whether the data of a JPEG end before its pixels do, though its end is marked: the decoder makes them grey.

    Told by decoding once more with data added: of a whole image they change nothing. So it is done only where the
    last pixels have that grey.
    """
    last = image.crop((image.width - 1, image.height - 1, *image.size)).convert("RGB")
    if last.getpixel((0, 0)) != (128, 128, 128):
        return False
    end = structure.end_of_jpeg(data)
    more = Image.OPEN["JPEG"][0](io.BytesIO(data[:end] + 4096 * b"\xa5" + data[end:]), "")
    return bool(more.tobytes() != image.tobytes())


def _fault(image: Image.Image, accept: AcceptConfig) -> str:
    """Why a picture that can be decoded is not kept; empty if it is."""
    shorter, longer = sorted(image.size)
    if shorter < accept.min_side:
        return TOO_SMALL
    if longer > accept.max_aspect * shorter:
        return EXTREME_ASPECT
    return BLANK if max(ImageStat.Stat(image).stddev) < ONE_COLOR else ""


def _pixel_hash(image: Image.Image) -> str:
    digest = hashlib.blake2b(f"{image.width} {image.height} ".encode(), digest_size=16)
    digest.update(image.tobytes())
    return digest.hexdigest()
