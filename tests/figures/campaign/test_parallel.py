"""Each run is a whole line, also where it lacks a setting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from tests.figures.campaign.made import LOSS, finished, make_results, make_search
from tests.figures.made import ODD_NAMES, read_table, read_title
from visionlab.campaigns.results import Results
from visionlab.figures.campaign.parallel import ABSENT, MOST, save_parallel


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The points of every line that is drawn, (axes, 2) each."""
    drawn: list[np.ndarray] = []
    add = Axes.add_collection

    def spy(self: Axes, collection: LineCollection, *arguments: object, **more: object) -> object:
        drawn.extend(np.asarray(path.vertices) for path in collection.get_paths())
        return add(self, collection, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "add_collection", spy)
    return drawn


def test_a_run_that_lacks_a_setting_passes_below_its_axis(tmp_path: Path, lines: list[np.ndarray]) -> None:
    results = make_search()
    picture, table = save_parallel(results, tmp_path / "figures")
    measured = sorted(results.measured(), key=lambda child: child.values[0])
    assert len(lines) == len(measured)
    momentum = 3  # by importance
    for child, line in zip(measured, lines, strict=True):
        assert np.isfinite(line).all()
        assert (line[momentum, 1] == ABSENT) == ("optimizer.momentum" not in child.settings)
        assert -0.05 <= line[:momentum, 1].min() <= line[:, 1].max() <= 1.05
    assert measured[-1] == results.best
    headings, *rows = read_table(table)
    assert headings[:2] == ["number", "val/accuracy"]
    lacking = [row[headings.index("optimizer.momentum")] == "" for row in rows]
    assert lacking == [child.settings["optimizer"] == "muon" for child in results.measured()]
    assert "null" in {row[headings.index("data.augment.crop")] for row in rows}
    assert read_title(picture).startswith(f"Best of {len(measured)} runs, validation accuracy ")


def test_values_stand_by_their_scale(tmp_path: Path, lines: list[np.ndarray]) -> None:
    children = [finished(i, {"a.x": 10.0**i, "a.y": i}, 1 - i / 4) for i in range(3)]
    picture, _ = save_parallel(make_results("tune", children, [LOSS], log=("a.x",)), tmp_path)
    assert [line[:, 1].tolist() for line in lines] == [[0, 0, 1], [0.5, 0.5, 0.5], [1, 1, 0]]
    assert read_title(picture) == "Best of 3 runs, validation loss 0.5000: x=100, y=2"


@pytest.mark.parametrize(
    "results", [make_search(1), make_results("tune", [finished(i, {"a": i}, 0.5) for i in (0, 1)])]
)
def test_less_than_two_runs_or_settings_make_no_picture(results: Results, tmp_path: Path) -> None:
    assert save_parallel(results, tmp_path) == []


def test_many_runs_and_settings_with_odd_names_are_drawn(tmp_path: Path, lines: list[np.ndarray]) -> None:
    settings = [{name: (i + place) % 5 for place, name in enumerate((*ODD_NAMES, "a.b", "c.d"))} for i in range(200)]
    _, table = save_parallel(
        make_results("grid", [finished(i, one, i / 200) for i, one in enumerate(settings)]), tmp_path
    )
    assert len(lines) == 200
    assert len(lines[0]) == MOST + 1
    assert {*ODD_NAMES} <= {*read_table(table)[0]}


def test_runs_of_the_same_value_are_drawn(tmp_path: Path, lines: list[np.ndarray]) -> None:
    save_parallel(make_results("tune", [finished(i, {"a": i, "b": -i}, 0.5) for i in range(3)]), tmp_path)
    assert [line[-1, 1] for line in lines] == [0.5] * 3
