"""What stands below an image stays below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from visionlab.figures import sheet
from visionlab.figures.sheet import COLUMNS, Tile, save_sheet
from visionlab.figures.style import SETTINGS

PIXELS = np.zeros((1, 8, 8), np.uint8)
WIDE = ("0123456789abcdef", "0123456789abcdef01", "WWWWWWWWWWWWWWWWW", "→ MMMMMMMMMMM 0.123", "w" * 300)
NARROW = ("0123456789ab", "illicit little lil", "", "→ dog 0.123")


def lines_of(sheets: list[Figure]) -> list[tuple[str, float, float]]:
    """The lines of a sheet with where they begin and end."""
    (drawn,) = sheets
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn.axes[0].texts]
    return [(text, box.x0, box.x1) for text, box in boxes]


@pytest.fixture
def sheets(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The sheets that are drawn; no file is written."""
    figures: list[Figure] = []

    @contextmanager
    def drawing(file: Path, title: str, width: float, height: float) -> Iterator[Figure]:
        with rc_context(SETTINGS):  # type: ignore[arg-type]
            figure = Figure(figsize=(width, height), layout="constrained")
            figure.suptitle(title)
            yield figure
            figure.draw_without_rendering()
        figures.append(figure)

    monkeypatch.setattr(sheet, "drawing", drawing)
    return figures


@pytest.mark.parametrize("line", WIDE)
def test_a_line_that_is_too_wide_ends_before_the_next_one(line: str, sheets: list[Figure], tmp_path: Path) -> None:
    save_sheet([Tile(PIXELS, [line])] * COLUMNS, "title", tmp_path / "sheet.png")
    lines = lines_of(sheets)
    assert all(end < following for (_, _, end), (_, following, _) in pairwise(lines))
    shown = lines[0][0]
    assert "…" in shown
    assert len(shown) >= 8
    assert line.startswith(shown.partition("…")[0])
    assert line.endswith(shown.partition("…")[2])


def test_a_line_that_fits_is_left_as_it_is(sheets: list[Figure], tmp_path: Path) -> None:
    save_sheet([Tile(PIXELS, [line]) for line in NARROW], "title", tmp_path / "sheet.png")
    assert [text for text, _, _ in lines_of(sheets)] == list(NARROW)
