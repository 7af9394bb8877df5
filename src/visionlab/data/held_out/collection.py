"""Labelled images on this machine, in a zip file or in a folder. Reads only: the user's files stay as they are."""

from __future__ import annotations

import abc
import errno
import hashlib
import lzma
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath

from visionlab.data.held_out.layout import EXPECTED, LABELS, Entry, danger, is_image, label_of
from visionlab.data.held_out.room import need_room
from visionlab.errors import UserError

# far above what photographs take, far below what fills a disk: what zip files may unpack to, in bytes
LARGEST_MEMBER, LARGEST_ZIP = 256_000_000, 8_000_000_000
INNER = "train.zip"  # what the archive of the whole competition holds the labelled images in
PIECE = 1 << 20
# what damaged zip files make the module raise, besides OSError without a number or for a place before the start
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class UnreadableError(Exception):
    """An image cannot be had from its collection. The message is the reason, in a few words."""


class Collection(abc.ABC):
    """Images with labels.

    Attributes:
        path: what the user calls it.
        entries: the labelled images.
        left_out: images that may not be taken, by their path, with the reason.
        unlabelled: the number of images that nothing is known of.
    """

    def __init__(self, path: Path, files: Iterable[tuple[str, int, str | None]]) -> None:
        """`files` are their paths, sizes in bytes, and what speaks against them."""
        self.path = path
        self.left_out: dict[str, str] = {}
        self.unlabelled = 0
        entries = []
        for name, size, fault in files:
            label = label_of(name) if is_image(name) else None
            if label is None:
                self.unlabelled += is_image(name)
            elif fault is not None:
                self.left_out[name if name.isprintable() else ascii(name)] = fault
            else:
                entries.append(Entry(name, label, size))
        self.entries = tuple(sorted(entries, key=lambda entry: (entry.target, entry.path)))

    @property
    def size(self) -> int:
        """Of the labelled images, in bytes."""
        return sum(entry.size for entry in self.entries)

    def check(self) -> None:
        """Raise UserError unless this can be a test set."""
        counts = Counter(entry.label for entry in self.entries)
        if not counts:
            found = f"{self.unlabelled:,} images without" if self.unlabelled else "no image with"
            hint = f"; of the competition it is {INNER} that has labels, not test1.zip" if self.unlabelled else ""
            if (self.path / INNER).is_file():
                hint = f"; --from {self.path / INNER} takes those in it"
            raise UserError(f"{self.path}: expected {EXPECTED}, found {found} a label{hint}")
        for label in LABELS:
            if not counts[label]:
                (other,) = counts
                raise UserError(f"{self.path}: expected {EXPECTED}, found {counts[other]:,} {other}s and no {label}")
        for one, next_one in pairwise(self.entries):
            if one.target == next_one.target:
                raise UserError(f"{self.path}: expected one {one.target}, given {one.path} and {next_one.path}")

    def content(self) -> str:
        """Hexadecimal digits, the same for the same labels, names, sizes and CRC-32s, be it a zip file or a folder."""
        with ThreadPoolExecutor() as pool:
            checksums = pool.map(self._crc, self.entries)
            lines = [f"{one.target} {one.size} {crc:08x}\n" for one, crc in zip(self.entries, checksums, strict=True)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @abc.abstractmethod
    def copy(self, entry: Entry, to: Path) -> None:
        """Write an image to a file.

        Raises:
            UnreadableError: what lies in the collection is damaged.
            OSError: the machine failed.
        """

    @abc.abstractmethod
    def _crc(self, entry: Entry) -> int: ...


class Folder(Collection):
    """Images at any depth below a folder; links are followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _files_below(path))

    def copy(self, entry: Entry, to: Path) -> None:
        shutil.copyfile(self.path / entry.path, to)

    def _crc(self, entry: Entry) -> int:
        crc = 0
        with (self.path / entry.path).open("rb") as file:
            while piece := file.read(PIECE):
                crc = zlib.crc32(piece, crc)
        return crc


class Zip(Collection):
    """Images in a zip file. Nothing of it is trusted: neither paths nor sizes."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._file = file
        super().__init__(path, ((info.filename, info.file_size, _fault(info)) for info in file.infolist()))
        if self.size > LARGEST_ZIP:
            raise UserError(f"{path}: would unpack to {self.size / 1e9:,.1f} GB, more than {LARGEST_ZIP / 1e9:.0f} GB")

    def copy(self, entry: Entry, to: Path) -> None:
        _unpack(self._file, entry.path, to)

    def _crc(self, entry: Entry) -> int:
        return self._file.getinfo(entry.path).CRC


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[Collection]:
    """Open a zip file or a folder, whatever its layout.

    Args:
        path: also of the zip file of the whole competition, which holds another one.
        scratch: a folder; the zip file within a zip file is put there.

    Raises:
        UserError: there is nothing that could be opened; says what.
    """
    if path.is_dir():
        yield Folder(path)
        return
    with _open_zip(path) as file:
        inner = _inner(file)
        if inner is None:
            yield Zip(path, file)
            return
        if inner.file_size > LARGEST_ZIP:
            raise UserError(
                f"{path}: would unpack to {inner.file_size / 1e9:,.1f} GB, more than {LARGEST_ZIP / 1e9:.0f} GB"
            )
        need_room(scratch, inner.file_size)
        try:
            _unpack(file, inner.filename, scratch / INNER)
        except UnreadableError as error:
            raise UserError(f"{path}: {inner.filename} in it is damaged: {error}; download it again") from error
    with _open_zip(scratch / INNER) as file:
        yield Zip(path, file)


def _inner(file: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    infos = file.infolist()
    if any(is_image(info.filename) for info in infos):
        return None
    return next((info for info in infos if PurePosixPath(info.filename).name.lower() == INNER), None)


def _open_zip(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise UserError(f"{path}: expected a zip file or a folder, found {'neither' if path.exists() else 'nothing'}")
    try:
        return zipfile.ZipFile(path)
    except DAMAGE as error:
        with path.open("rb") as file:
            start = file.read(64).lstrip()
        found = "a web page" if start.startswith(b"<") else "another kind of file"
        if start.startswith(b"PK"):
            found = f"a damaged one, or a part of one ({error})"
        raise UserError(f"{path}: expected a zip file, found {found}; download it again") from error


def _fault(info: zipfile.ZipInfo) -> str | None:
    """What speaks against unpacking a member."""
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.file_size > LARGEST_MEMBER:
        return f"would unpack to {info.file_size / 1e6:,.0f} MB"
    return danger(info.filename)


def _unpack(file: zipfile.ZipFile, name: str, to: Path) -> None:
    # the module reads no more than the size that the archive says, and then compares the CRC-32
    try:
        with file.open(name) as member, to.open("wb") as target:
            shutil.copyfileobj(member, target, PIECE)
    except DAMAGE as error:
        raise UnreadableError(str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise UnreadableError(str(error)) from error


def _files_below(root: Path) -> Iterator[tuple[str, int, str | None]]:
    def give_up(error: OSError) -> None:
        raise error

    visited = set()
    for place, folders, names in os.walk(root, onerror=give_up, followlinks=True):
        real = Path(place).resolve()
        if real in visited:  # a link may lead back to a folder above it
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if path.is_file():
                relative = path.relative_to(root).as_posix()
                yield relative, path.stat().st_size, danger(relative)
