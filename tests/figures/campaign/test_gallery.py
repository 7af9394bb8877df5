"""Each kind of campaign has the pictures that mean something for it, each with its numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.figures.campaign.made import ACCURACY, PARAMETERS, make_grid, make_repeats, make_results, make_search
from tests.figures.made import read_title
from visionlab.campaigns.results import Child, Results
from visionlab.figures.campaign.gallery import draw

SETTINGS = ["importance", "slices", "parallel", "contour"]


@pytest.mark.parametrize(
    ("results", "stems"),
    [
        (make_search(), ["history", "curves", *SETTINGS]),
        (make_search(objectives=[ACCURACY, PARAMETERS]), ["history", "curves", "front", *SETTINGS]),
        (make_search(1), ["history", "curves"]),
        (make_grid(), SETTINGS),
        (make_repeats([0.9, 0.8]), ["spread", "curves"]),
        (make_repeats([0.9, 0.8], "crossval"), ["spread", "curves"]),
    ],
)
def test_pictures_are_those_of_the_kind(results: Results, stems: list[str], tmp_path: Path) -> None:
    files = draw(results, tmp_path / "figures")
    assert [file.name for file in files] == [f"{stem}{suffix}" for stem in stems for suffix in (".png", ".csv")]
    assert {*files} == {*(tmp_path / "figures").iterdir()}
    titles = [read_title(file) for file in files if file.suffix == ".png"]
    assert len({*titles}) == len(stems)


@pytest.mark.parametrize("kind", ["tune", "grid", "crossval", "repeat"])
def test_without_a_result_nothing_is_drawn(kind: str, tmp_path: Path) -> None:
    children = [Child(i, "failed", {"a.x": i}, reason="no", curve=((1, 0.1),)) for i in range(3)]
    assert draw(make_results(kind, children), tmp_path) == []
    assert [*tmp_path.iterdir()] == []


def test_drawing_needs_neither_torch_nor_optuna_nor_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.figures.campaign.made import make_search; "
        "from visionlab.figures.campaign.gallery import draw; draw(make_search(12), Path(sys.argv[1])); "
        "assert not {'torch', 'optuna', 'mlflow', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "parallel.png").exists()
