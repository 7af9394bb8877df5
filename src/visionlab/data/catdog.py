"""Photos of cats and dogs: gathered from the web to train on, and a test set that was made by others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from visionlab import project
from visionlab.config.data import CatDogConfig
from visionlab.data.datamodule import Raw
from visionlab.data.files import ImageFiles
from visionlab.data.image_file import SPLIT_NAMES
from visionlab.data.leaks import check_leaks
from visionlab.data.listing import LABELS, Listing, images_below, list_images
from visionlab.errors import DataUnavailableError, UserError
from visionlab.gather.manifest import manifest_fingerprint

CLASSES = ("cat", "dog")
WAYS = {
    "train": "`visionlab gather` gathers them from the web (`make gather`)",
    "test": "`visionlab data kaggle` or `visionlab data petimages` brings them, with --from PATH from a folder or zip",
}
# what `visionlab gather` and `visionlab data` put beside the class folders
KNOWN = ("rejected", "contact_sheets", "review", "manifest.csv", "decisions.csv", ".source.json")


class CatDog(ImageFiles[CatDogConfig]):
    """`train/` and `test/` with a folder each for cats and dogs, as `visionlab gather` and `visionlab data` make them.

    Images to train on are never tested on, nor the other way round: no part is split off for testing, and a training
    image that shows what a test image shows is refused, whatever its size, quality or cut.
    """

    @property
    def root(self) -> Path:
        return project.data() / "catdog" if self.config.root is None else Path(self.config.root)

    @cached_property
    def listing(self) -> Listing:
        """The image files and their classes.

        Raises:
            DataUnavailableError: cats or dogs to train or test on are missing.
            UserError: there are other classes, or a `labels.csv`, or a folder cannot be read.
        """
        try:
            return _list(self.root)
        except OSError as error:
            raise UserError(f"data.root: {error.filename} cannot be read: {error.strerror}") from error

    def read(self) -> Raw:
        """Map the decoded images.

        Raises:
            UserError: as `ImageFiles.read`; or of a class no test image can be read; or training images show what test
                images show.
        """
        raw = super().read()
        for label, name in enumerate(CLASSES):
            if raw.test is None or not (raw.test.labels == label).any():
                raise UserError(f"data.root: no test image of class {name!r} can be read: {self.root}")
        files = [file for index, file in enumerate(self.listing.files) if index not in self.decoded.broken]
        training, held_out = ([f.path for f in files if (f.split == "test") == tested] for tested in (False, True))
        check_leaks(self.root, training, held_out, self.decoded.identity, project.data() / ".cache")
        manifest = manifest_fingerprint(self.root)
        return replace(raw, origin={} if manifest is None else {"manifest": manifest})


def _list(root: Path) -> Listing:
    if (root / LABELS).exists():
        raise UserError(
            f"data.root: expected no {root / LABELS}: it could name images of test/ as ones to train on; remove it, or "
            f"take data=folder data.root={root}"
        )
    for split, way in WAYS.items():
        for name in CLASSES:
            if not _holds_images(root / split / name):
                expected = f"expected images in {root / split / name}, found none"
                raise DataUnavailableError(f"data.root: {expected}{_misplaced(root, split, name)}; {way}")
    listing = list_images(root, KNOWN)
    if listing.classes != CLASSES:
        names = ", ".join(listing.classes)
        raise UserError(
            f"data.root: expected the classes cat and dog in {root / 'train'}, found {names}: each folder in it is "
            "taken for a class"
        )
    return listing


def _holds_images(folder: Path) -> bool:
    return next(images_below(folder, Counter(), _pass_over_missing), None) is not None


def _pass_over_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _misplaced(root: Path, split: str, name: str) -> str:
    """Folders that may be meant by the one that is missing, such as Train or train/cats, to be told."""
    wanted = name if (root / split).is_dir() else split
    places = {root / split / name for split in WAYS for name in CLASSES} | {root / split for split in WAYS}
    near = [
        str(folder.relative_to(root))
        for folder in _folders(root)
        if folder not in places and wanted in (_plain(folder.name), SPLIT_NAMES.get(folder.name.lower()))
    ]
    if not near:
        return ""
    return f", but {' and '.join(near)} (names of folders are taken exactly as they are)"


def _folders(root: Path) -> Iterator[Path]:
    """Those in `root` and those in these, of what is not known to be something else."""
    for pattern in ("*", "*/*"):
        for folder in sorted(root.glob(pattern)):
            first = folder.relative_to(root).parts[0]
            if folder.is_dir() and not first.startswith(".") and first not in KNOWN:
                yield folder


def _plain(name: str) -> str:
    return name.lower().removesuffix("s")
