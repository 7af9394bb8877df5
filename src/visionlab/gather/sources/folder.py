"""A folder of images that are on this machine already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visionlab.config.gather import ClassConfig
from visionlab.errors import UserError
from visionlab.gather.links import Link, Page


@dataclass(frozen=True)
class Folder:
    """All files at any depth, but for hidden ones, as those that file managers leave behind."""

    name: str = "folder"
    goes_on: bool = False

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        if config.folder is None:
            return []
        if not Path(config.folder).is_dir():
            raise UserError(f"gather.classes.{label}.folder: expected a folder of images, given {config.folder}")
        return [Page(self.name, label, config.folder)]

    def address(self, page: Page) -> None:
        return None

    def parse(self, body: bytes, page: Page) -> list[Link]:
        root = Path(page.query)
        return [Link(file.as_uri()) for file in sorted(root.rglob("*")) if file.is_file() and not _hidden(file, root)]


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
