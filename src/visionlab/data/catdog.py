"""Photos of cats and dogs: gathered from the web to train on, and a test set that was made by others."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

from visionlab import project
from visionlab.config.data import CatDogConfig
from visionlab.data.datamodule import Raw
from visionlab.data.files import ImageFiles
from visionlab.data.leaks import check_leaks
from visionlab.data.listing import Listing, list_images
from visionlab.errors import DataUnavailableError, UserError
from visionlab.gather.manifest import manifest_fingerprint

CLASSES = ("cat", "dog")
WAYS = {
    "train": "`visionlab gather` gathers them from the web (`make gather`)",
    "test": "`visionlab data kaggle` or `visionlab data petimages` brings them, with --from PATH from a folder or zip",
}
# what `visionlab gather` and `visionlab data` put beside the class folders
KNOWN = ("rejected", "contact_sheets", "manifest.csv", "decisions.csv", ".source.json")


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
        """
        for split, way in WAYS.items():
            missing = [name for name in CLASSES if not any((self.root / split / name).glob("*"))]
            if missing:
                expected = f"expected images in {self.root / split / missing[0]}, found none"
                raise DataUnavailableError(f"data.root: {expected}; {way}")
        listing = list_images(self.root, KNOWN)
        if listing.classes != CLASSES:
            names = ", ".join(listing.classes)
            raise UserError(f"data.root: expected the classes cat and dog in {listing.root}, found {names}")
        return listing

    def read(self) -> Raw:
        """Map the decoded images.

        Raises:
            UserError: as `ImageFiles.read`; or training images show what test images show.
        """
        raw = super().read()
        files = [file for index, file in enumerate(self.listing.files) if index not in self.decoded.broken]
        training, held_out = ([f.path for f in files if (f.split == "test") == tested] for tested in (False, True))
        check_leaks(self.root, training, held_out, self.decoded.identity, project.data() / ".cache")
        manifest = manifest_fingerprint(self.root)
        return replace(raw, origin={} if manifest is None else {"manifest": manifest})
