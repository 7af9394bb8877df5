"""A self-contained HTML page, built of blocks: whatever reports on something puts its page together here.

A page needs nothing but itself: its style and its pictures are inside, and there is no script in it. So it can be
mailed, printed, and shown by MLflow, whose frame lets a page load nothing, and follow no link even within itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from visionlab.tracking.run import write_atomically

CSS_PIXELS = 96  # in an inch
LONGEST = 30  # rows of a table that are shown without being unfolded


@dataclass(frozen=True)
class Block:
    """A part of a page; the template has a macro for each kind, by the name of its class."""

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Text(Block):
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Headline(Block):
    """Headline numbers in large type.

    Attributes:
        pairs: (what it is, the number in words).
    """

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Facts(Block):
    """Names and what they stand for, one a line; values that are code are shown as such."""

    pairs: Sequence[tuple[str, str]]
    code: bool = False


@dataclass(frozen=True)
class Table(Block):
    """Rows of text below headings; all columns but the first `text_columns` hold numbers."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    text_columns: int = 1


@dataclass(frozen=True)
class Code(Block):
    """Text as it is written, line for line."""

    text: str


@dataclass(frozen=True)
class Picture(Block):
    """A PNG of which the page gets a copy.

    Attributes:
        file: has its description as `Title`, as those of `visionlab.figures` do.
        caption: below it.
    """

    file: Path
    caption: str = ""

    @cached_property
    def source(self) -> str:
        return "data:image/png;base64," + base64.b64encode(self.file.read_bytes()).decode()

    @cached_property
    def _read(self) -> tuple[str, int, int]:
        from PIL import Image

        with Image.open(self.file) as image:
            # shown as large as it is on paper: a screen of fine resolution has use for the pixels
            scale = CSS_PIXELS / image.info.get("dpi", (CSS_PIXELS,))[0]
            width, height = (round(scale * side) for side in image.size)
            return str(image.info.get("Title", self.file.stem)), width, height

    @property
    def description(self) -> str:
        """What is said to those who do not see it."""
        return self._read[0]

    @property
    def width(self) -> int:
        return self._read[1]

    @property
    def height(self) -> int:
        return self._read[2]


@dataclass(frozen=True)
class Folded(Block):
    """Blocks behind a line that unfolds them."""

    summary: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section:
    """A titled part of the page; one without blocks is left out."""

    title: str
    blocks: Sequence[Block]


def folded_if_long(table: Table, summary: str) -> Block:
    """The table, or behind `summary` where it has many rows."""
    return table if len(table.rows) <= LONGEST else Folded(f"{summary} ({len(table.rows)})", [table])


def render(title: str, lead: str, sections: Iterable[Section], badge: str = "") -> str:
    """The HTML of a page.

    Args:
        title: also of the browser's tab.
        lead: what it comes to, in a sentence.
        badge: a word behind the title, such as a status.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # every value is escaped: names of classes come from folders, and those from anywhere
    environment = Environment(
        loader=PackageLoader("visionlab.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filled = [section for section in sections if section.blocks]
    return environment.get_template("page.html.j2").render(title=title, lead=lead, sections=filled, badge=badge)


def write(file: Path, html: str) -> Path:
    """Write a page, all at once; the file."""
    write_atomically(file, html)
    return file
