"""Whether a file of images is whole, told from its parts where decoders do not complain."""

from __future__ import annotations

import re
import zlib

# what ends the data of a JPEG's scan; FF 00 is a byte FF of it, and FF D0 to FF D7 stand between its parts. Any number
# of FF may stand before it, of which the last one will do: to try a long row from each of its bytes takes for ever
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END_OF_IMAGE = 0xD9
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length


class TruncatedError(Exception):
    """The file ends too early."""


class ChecksumError(Exception):
    """A part of the file is not what was written."""


def check(data: bytes, kind: str) -> None:
    """Follow the parts of a JPEG, PNG or WebP to the end; of other kinds nothing is checked.

    Args:
        data: all of the file.
        kind: Pillow's name of the format.

    Raises:
        TruncatedError: the last part is missing or too short.
        ChecksumError: a part of a PNG has another checksum than it says.
    """
    if kind in ("JPEG", "MPO"):
        end_of_jpeg(data)
    elif kind == "PNG":
        _check_png(data)
    elif kind == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise TruncatedError


def end_of_jpeg(data: bytes) -> int:
    """Where the marker stands that ends the first image (ITU-T T.81, annex B).

    Raises:
        TruncatedError: there is none.
    """
    position = 2
    while found := _MARKER.search(data, position):
        marker, position = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return position - 2
        if marker not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    raise TruncatedError


def _check_png(data: bytes) -> None:
    """Parts are a length, a name of 4 bytes, content, and the CRC-32 of name and content (PNG, section 5.3)."""
    position, name = 8, b""
    while name != b"IEND":
        length, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            raise TruncatedError
        if zlib.crc32(data[position + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ChecksumError
        position = end + 4
