"""Anyone's own images: a folder with class folders, or with a `labels.csv`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from visionlab.config.data import FolderConfig
from visionlab.data.datamodule import Raw
from visionlab.data.files import ImageFiles


class Folder(ImageFiles[FolderConfig]):
    """A folder as `visionlab.data.listing` takes it; where it has no test set, a share of its images becomes one."""

    @property
    def root(self) -> Path:
        return Path(self.config.root)

    def read(self) -> Raw:
        return replace(super().read(), test_fraction=self.config.test_fraction)
