"""How a figure gets to the disk: the picture in the project's style, its numbers beside it, each all at once.

No pyplot: its backend and its list of open figures belong to the notebook that may have started the run.
"""

from __future__ import annotations

import csv
import io
import json
import os
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionlab.figures.style import SETTINGS
from visionlab.tracking.journal import without_nan
from visionlab.tracking.run import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHARACTERS_PER_INCH = 9.5  # of a title


@contextmanager
def drawing(file: Path, title: str, width: float, height: float) -> Iterator[Figure]:
    """An empty figure to draw into; at the end of the context it is `file`.

    Args:
        file: a PNG. Its folder is created if it is not there.
        title: what the picture says; it also stands in the PNG's own `Title`, for whoever cannot see the picture.
        width, height: inches.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.stem}.{os.getpid()}.png")
    with rc_context(SETTINGS), warnings.catch_warnings():  # type: ignore[arg-type]
        # a script that the font lacks is drawn as boxes; the numbers beside the picture have the names
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(textwrap.fill(title, int(width * CHARACTERS_PER_INCH)), x=0.01, ha="left")
        yield figure
        figure.savefig(part, metadata={"Title": title})
    part.replace(file)


def save_table(file: Path, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV file; the file. Its folder is created if it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    write_atomically(file, stream.getvalue())
    return file


def save_numbers(file: Path, content: Any) -> Path:
    """Write a JSON file, with null for what is not defined; the file. Its folder is created if it is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(without_nan(content), indent=1, ensure_ascii=False, allow_nan=False))
    return file
