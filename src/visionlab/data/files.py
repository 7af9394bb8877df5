"""What data sets of image files have in common: they are listed, decoded once, and mapped."""

from __future__ import annotations

import sys
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from lightning.pytorch.utilities import rank_zero_only

from visionlab import project
from visionlab.config.data import ImageFilesConfig
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.decode_cache import Decoded, decode_once
from visionlab.data.image_file import ImageFile
from visionlab.data.images import ImageSet
from visionlab.data.listing import Listing, list_images
from visionlab.errors import UserError

SHOWN = 3  # broken files told in full

Config = TypeVar("Config", bound=ImageFilesConfig)


class ImageFiles(ImageDataModule[Config]):
    """Images of any size and kind, brought to one size and colour, into `VISIONLAB_DATA/.cache`.

    `visionlab.data.listing` says how the folder has to look, `visionlab.data.decode` how images are scaled.
    """

    @property
    @abstractmethod
    def root(self) -> Path:
        """The folder of the data set."""

    @cached_property
    def listing(self) -> Listing:
        """The image files and their classes."""
        return list_images(self.root)

    @cached_property
    def decoded(self) -> Decoded:
        """The images of all these files."""
        paths = [file.path for file in self.listing.files]
        cache = project.data() / ".cache"
        return decode_once(self.listing.root, paths, self.config.decoded_size, self.config.color, cache)

    def prepare_data(self) -> None:
        """Decode the images, unless that is done already."""
        _ = self.decoded

    def read(self) -> Raw:
        """Map the decoded images.

        Raises:
            UserError: files are broken, and `on_broken` is fail, or nothing is left of a class or a split.
        """
        listing, decoded = self.listing, self.decoded
        notes = dict(listing.notes)
        if decoded.broken:
            self._tell(decoded.broken)
            notes["files that cannot be read left out"] = len(decoded.broken)
        label_of = {name: label for label, name in enumerate(listing.classes)}
        labels = torch.tensor([label_of[file.label] for file in listing.files])
        everything = ImageSet(decoded.images, labels, _groups(listing.files))
        sets = {}
        for split in dict.fromkeys(file.split for file in listing.files):
            rows = [i for i, file in enumerate(listing.files) if file.split == split and i not in decoded.broken]
            if not rows:
                raise UserError(f"data.root: no image in {split} can be read: {listing.root}")
            sets[split] = everything.subset(torch.tensor(rows))
        for name in listing.classes:
            if not (sets["train"].labels == label_of[name]).any():
                raise UserError(f"data.root: no training image of class {name!r} can be read: {listing.root}")
        config = self.config
        return Raw(
            sets["train"],
            sets.get("test"),
            listing.classes,
            val=sets.get("val"),
            side=config.image_size if config.decoded_size != config.image_size else None,
            notes=notes,
        )

    def _tell(self, broken: dict[int, str]) -> None:
        """Name the broken files: as an error, or where they are to be skipped, on the console."""
        listing = self.listing
        named = [f"{listing.files[index].path} ({reason})" for index, reason in list(broken.items())[:SHOWN]]
        more = [f"and {len(broken) - SHOWN:,} more"] if len(broken) > SHOWN else []
        line = f"{listing.root}: {len(broken):,} of {len(listing.files):,} images cannot be read: "
        line += ", ".join(named + more)
        if self.config.on_broken == "fail":
            raise UserError(f"{line}; mend or remove them, or set data.on_broken=skip")
        if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            print(f"{line}; left out", file=sys.stderr)


def _groups(files: tuple[ImageFile, ...]) -> tuple[str, ...] | None:
    """The groups as `ImageSet` wants them: a file without a group is one of its own."""
    if all(file.group is None for file in files):
        return None
    return tuple(f"file {file.path}" if file.group is None else f"group {file.group}" for file in files)
