"""A text file with the address of an image in each line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from visionlab.config.gather import ClassConfig
from visionlab.errors import UserError
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import PageError, unique, web_address
from visionlab.gather.web.addresses import LONGEST


@dataclass(frozen=True)
class Urls:
    """Blank lines, and those that begin with #, say nothing."""

    name: str = "urls"
    goes_on: bool = False

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        if config.urls is None:
            return []
        for number, line in _lines(config.urls, label).items():
            if not web_address(line):
                raise UserError(
                    f"line {number} of {config.urls} (gather.classes.{label}.urls): expected an address that begins "
                    f"with http:// or https://, of at most {LONGEST:,} characters, given {line[:100]!r}; # before it "
                    "makes it a comment"
                )
        return [Page(self.name, label, config.urls)]

    def address(self, page: Page) -> None:
        return None

    def parse(self, body: bytes, page: Page) -> list[Link]:
        try:
            lines = _lines(page.query, page.label)
        except UserError as error:  # it was there a moment ago
            raise PageError(str(error)) from error
        return unique(Link(web_address(line)) for line in lines.values())


def _lines(file: str, label: str) -> dict[int, str]:
    """The lines that say something, by their numbers."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"gather.classes.{label}.urls: expected a text file (UTF-8) with the address of an image in each line, "
            f"given {file} ({getattr(error, 'strerror', None) or error})"
        ) from error
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), start=1)}
    return {number: line for number, line in lines.items() if line and not line.startswith("#")}
