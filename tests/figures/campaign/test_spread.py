"""Every seed or fold, the mean and its interval."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.figures.campaign.made import make_repeats
from tests.figures.made import read_table, read_title
from visionlab.figures.campaign.spread import save_spread


@pytest.mark.parametrize(("kind", "thing", "path"), [("repeat", "seeds", "seed"), ("crossval", "folds", "data.fold")])
def test_mean_deviation_and_interval_are_told(kind: str, thing: str, path: str, tmp_path: Path) -> None:
    picture, table = save_spread(make_repeats([0.9, 0.92, 0.94], kind), tmp_path / "figures")
    assert read_title(picture) == (
        f"Validation accuracy 92.00 ± 2.00 % over 3 {thing}; 95 % interval of the mean 87.03 to 96.97 %"
    )
    assert read_table(table) == [
        ["number", path, "val/accuracy"], ["0", "0", "0.9"], ["1", "1", "0.92"], ["2", "2", "0.94"],
    ]  # fmt: skip


def test_one_value_has_no_interval_and_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    picture, table = save_spread(make_repeats([math.nan, 0.9]), tmp_path)
    assert read_title(picture) == "Validation accuracy 90.00 % with one seed so far"
    assert len(read_table(table)) == 2
    assert save_spread(make_repeats([math.nan]), tmp_path / "none") == []


@pytest.mark.parametrize("values", [[0.9] * 3, [0.9 + i / 5000 for i in range(200)]])
def test_equal_and_many_values_are_drawn(values: list[float], tmp_path: Path) -> None:
    picture, table = save_spread(make_repeats(values), tmp_path)
    assert f" over {len(values)} seeds" in read_title(picture)
    assert len(read_table(table)) == len(values) + 1
