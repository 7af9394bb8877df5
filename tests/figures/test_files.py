"""Files appear whole or not at all, and drawing leaves the rest of the process as it was."""

from __future__ import annotations

import json
import math
from pathlib import Path

import matplotlib as mpl
import pytest

from tests.figures.made import ODD_NAMES, read_table, read_title
from visionlab.figures.files import drawing, save_numbers, save_table
from visionlab.figures.style import percent, shorten


def test_a_picture_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "figures" / "a.png"
    with drawing(file, "first", 4, 3) as figure:
        figure.subplots().plot([1, 2])
    with pytest.raises(ZeroDivisionError), drawing(file, "second", 4, 3):
        raise ZeroDivisionError
    assert read_title(file) == "first"
    assert [found.name for found in file.parent.iterdir()] == ["a.png"]


def test_the_style_and_the_backend_of_a_notebook_stay(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    with drawing(tmp_path / "a.png", "a", 4, 3) as figure:
        assert mpl.rcParams["text.parse_math"] is False
        figure.subplots().plot([1, 2])
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.filterwarnings("error")
def test_any_name_can_be_drawn(name: str, tmp_path: Path) -> None:
    with drawing(tmp_path / "a.png", name, 4, 3) as figure:
        figure.subplots().set_title(shorten(name, 20))
    assert read_title(tmp_path / "a.png") == name


def test_any_name_comes_through_a_table(tmp_path: Path) -> None:
    rows = [[name, 1.5] for name in ODD_NAMES]
    assert read_table(save_table(tmp_path / "new" / "a.csv", ["name", "value"], rows)) == [
        ["name", "value"],
        *([name, "1.5"] for name in ODD_NAMES),
    ]


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    file = save_numbers(tmp_path / "a.json", {"a": [math.nan, 1.0], "猫": math.inf})
    assert json.loads(file.read_text(encoding="utf-8")) == {"a": [None, 1.0], "猫": None}


def test_shortened_names_keep_their_ends() -> None:
    assert shorten("cat", 8) == "cat"
    assert len(shorten("x" * 99, 12)) == 12
    assert shorten("aquarium fish 17", 14).endswith("17")
    assert shorten("aquarium fish 17", 14) != shorten("aquarium fish 18", 14)
    assert shorten("two\n lines", 20) == "two lines"


def test_percents_do_not_part_from_their_sign() -> None:
    assert percent(0.9123) == "91.2\N{NO-BREAK SPACE}%"
