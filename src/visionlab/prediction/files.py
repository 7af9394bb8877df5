"""From the words of a command line to image files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from visionlab.data.listing import SUFFIXES, images_below

STANDARD_INPUT = "-"
Complain = Callable[[str], None]


def image_files(words: Iterable[str], lines: BinaryIO, complain: Complain) -> Iterator[Path]:
    """The files that `words` mean, one by one, in their order.

    A file stands for itself, whatever its name ends in; a folder for the images at any depth below it, sorted, as
    `visionlab.data.listing` finds them; ``-`` for the files and folders that `lines` name.

    Args:
        words: paths, or ``-``.
        lines: a path each; empty ones are passed over.
        complain: is given a line about each word that means no file.
    """
    for word in words:
        if word == STANDARD_INPUT:
            yield from _named_in(lines, complain)
        else:
            yield from _named(word, complain)


def _named_in(lines: BinaryIO, complain: Complain) -> Iterator[Path]:
    names = (os.fsdecode(line.rstrip(b"\r\n")) for line in lines)
    empty = True
    for name in filter(None, names):
        empty = False
        yield from _named(name, complain)
    if empty:
        complain("-: expected a path on each line of standard input, found none")


def _named(name: str, complain: Complain) -> Iterator[Path]:
    path = Path(name)
    try:
        path.stat()
    except (OSError, ValueError) as error:
        complain(f"{name}: {_reason(error)}")
        return
    if not path.is_dir():
        yield path
        return
    empty = True
    for file in images_below(path, Counter(), lambda error: complain(f"{error.filename}: {_reason(error)}")):
        empty = False
        yield file
    if empty:
        complain(f"{name}: expected images in this folder ({', '.join(sorted(SUFFIXES))}), found none")


def _reason(error: OSError | ValueError) -> str:
    """In the system's words: No such file or directory, Permission denied, …; a path may also hold a zero byte."""
    return str(getattr(error, "strerror", None) or error)
