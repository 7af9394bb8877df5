"""Which image files a folder holds, and what is known of each: class, split, group."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from visionlab.data.image_file import SPLIT_NAMES, ImageFile, Split
from visionlab.data.labels import read_labels
from visionlab.errors import UserError

SUFFIXES = frozenset((".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
LABELS = "labels.csv"


@dataclass(frozen=True)
class Listing:
    """The images below `root`, by path.

    Attributes:
        classes: names, in the order of the labels.
        notes: what was noticed, such as what was left out, and how many files it is about.
    """

    root: Path
    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    notes: dict[str, int] = field(default_factory=dict)


def list_images(root: Path, known: Collection[str] = ()) -> Listing:
    """Find the images below `root`.

    What decides is, in this order: a `labels.csv` (see `visionlab.data.labels`); a folder `train/` with a folder a
    class, and beside it perhaps `val/` and `test/`; class folders in `root` itself, then all images are training
    images. Images may lie at any depth below the folder of their class. Links are followed. Hidden files and folders
    and files that are no images by their suffix are left out.

    Args:
        root: the folder of the data set.
        known: names of files and folders that belong beside the class folders, and are left out without a note.

    Raises:
        UserError: `root` does not hold a data set like that; says what is missing where.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing there"
        raise UserError(f"data.root: expected a folder with images, found {found}: {root}")
    notes: Counter[str] = Counter()
    try:
        table = root / LABELS
        files = read_labels(table) if table.is_file() else list(_in_folders(root, notes, known))
    except OSError as error:
        raise UserError(f"data.root: {error.filename} cannot be read: {error.strerror}") from error
    alone = sum(file.group is None for file in files)
    if 0 < alone < len(files):
        notes["images without a group"] = alone
    files.sort(key=lambda file: file.path)
    return Listing(root, _classes(root, files), tuple(files), dict(notes))


def _classes(root: Path, files: list[ImageFile]) -> tuple[str, ...]:
    """The classes of the training images; those of the other splits have to be among them."""
    if not files:
        raise UserError(
            f"data.root: no images in {root}: expected a folder for each class in it, or in {root / 'train'}, "
            f"or a {LABELS} (images are {', '.join(sorted(SUFFIXES))})"
        )
    known = sorted({file.label for file in files if file.split == "train"}, key=_natural)
    for file in files:
        if file.label not in known:
            names = ", ".join(known) or "none"
            raise UserError(f"data.root: class {file.label!r} of {file.path} does not occur in training: {names}")
    if len(known) < 2:
        raise UserError(f"data.root: expected at least two classes in {root}, found only {known[0]!r}")
    return tuple(known)


def _natural(name: str) -> tuple[bool, int, str]:
    """Sorts 2 before 10, and numbers before words."""
    return (False, int(name), name) if name.isdecimal() else (True, 0, name)


def _in_folders(root: Path, notes: Counter[str], known: Collection[str]) -> Iterator[ImageFile]:
    folders = _subfolders(root, notes, known)
    splits = _split_folders(root, folders)
    for folder in folders:
        split = splits.get(folder) if splits else "train"
        if split is None:
            notes["folders beside train left out"] += 1
            continue
        for class_folder in _subfolders(folder, notes, known) if splits else [folder]:
            images = list(images_below(class_folder, notes, _give_up))
            if not images:
                notes["class folders without images left out"] += 1
            for image in images:
                yield ImageFile(image.relative_to(root).as_posix(), class_folder.name, split)


def _split_folders(root: Path, folders: list[Path]) -> dict[Path, Split]:
    """Which of `folders` are train/, val/ and test/; none where the folders are classes."""
    splits = {folder: SPLIT_NAMES[folder.name.lower()] for folder in folders if folder.name.lower() in SPLIT_NAMES}
    for split, count in Counter(splits.values()).items():
        if count > 1:
            names = " and ".join(folder.name for folder in splits if splits[folder] == split)
            raise UserError(f"data.root: expected one folder for {split} in {root}, found {names}")
    train = [folder for folder, split in splits.items() if split == "train"]
    if any(_subfolders(folder, Counter()) for folder in train):
        return splits
    # a folder called train, val or test without class folders may be a class, but not if there are no others
    if splits and len(splits) == len(folders):
        held = f"{train[0]} holds no class folders" if train else f"there is no {root / 'train'}"
        raise UserError(f"data.root: expected {root / 'train'} with a folder for each class; {held}")
    return {}


def _subfolders(folder: Path, notes: Counter[str], known: Collection[str] = ()) -> list[Path]:
    """The visible folders in `folder`; the files beside them are counted."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.name in known:
            continue
        if entry.is_dir():
            if not _is_hidden(entry.name):
                found.append(entry)
        elif _is_image(entry.name):
            notes["images outside class folders left out"] += 1
        else:
            notes["files that are not images left out"] += 1
    return found


def images_below(folder: Path, notes: Counter[str], on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """The image files at any depth below `folder`, those of a folder by name and before those of its subfolders.

    Links are followed. Hidden files and folders and files that are no images by their suffix are left out.

    Args:
        folder: to look through.
        notes: counts what was left out.
        on_error: is given the error of each folder that cannot be read.
    """
    visited = set()
    for place, folders, names in os.walk(folder, onerror=on_error, followlinks=True):
        # a link may lead back to a folder above it
        real = Path(place).resolve()
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = _visible(folders)
        for name in sorted(names):
            if _is_image(name):
                yield Path(place, name)
            else:
                notes["files that are not images left out"] += 1


def _give_up(error: OSError) -> None:
    raise error


def _visible(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _is_image(name: str) -> bool:
    return not _is_hidden(name) and Path(name).suffix.lower() in SUFFIXES
