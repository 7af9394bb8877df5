"""Averages of recalls by hand, and what labs on rare classes measure and draw."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.labs.conftest import MadeUp
from visionlab.config.lab import FigureConfig
from visionlab.figures.lab.averages import save_averages
from visionlab.figures.lab.confusions import save_confusions
from visionlab.figures.lab.recalls import save_recalls
from visionlab.labs import confusion as of_runs
from visionlab.labs.confusion import confusion, recalls, weighted_accuracy
from visionlab.labs.lab import Lab
from visionlab.labs.measures import MEASURES
from visionlab.labs.trained import Trained

COUNTS = np.array([[10, 0, 0, 0], [1, 9, 0, 0], [5, 0, 5, 0], [8, 2, 0, 0]])  # recalls 1, 0.9, 0.5, 0
SIZES = np.array([100, 10, 9, 1])


def test_recalls_and_their_averages() -> None:
    assert recalls(COUNTS).tolist() == pytest.approx([1, 0.9, 0.5, 0])
    assert weighted_accuracy(COUNTS, np.ones(4, dtype=np.int64)) == pytest.approx(0.6)
    assert weighted_accuracy(COUNTS, SIZES) == pytest.approx((100 + 9 + 4.5) / 120)


def test_a_class_without_images_has_no_recall() -> None:
    found = recalls(np.array([[2, 0], [0, 0]]))
    assert found[0] == 1
    assert np.isnan(found[1])


@pytest.fixture
def unequal(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Two made-up runs that confuse as COUNTS says, the second with classes 2 and 3 put right."""
    lab = made_up({"a": [0.6], "b": [0.9]})
    for run, better in zip(lab.runs, (False, True), strict=True):
        counts = COUNTS.copy()
        if better:
            counts[2:] = [[0, 0, 10, 0], [0, 0, 0, 10]]
        columns = {f"predicted {kind}": counts[:, kind].tolist() for kind in range(4)}
        run.run.add_table("validation_confusion_matrix", {"true class": [*"0123"], **columns})
        run.report["validation"]["recall"] = float(recalls(counts).mean())
    for module in ("visionlab.labs.measures.imbalance", "visionlab.figures.lab.recalls"):
        monkeypatch.setattr(f"{module}.training_sizes", lambda run: SIZES)
    return lab


def test_measures_of_rare_classes(unequal: Lab) -> None:
    run = unequal.runs[0]
    found = confusion(run)
    assert found is not None
    assert found.tolist() == COUNTS.tolist()
    assert MEASURES["rare_recall"].of(run) == pytest.approx((0 + 0.5 + 0.9) / 3)
    assert MEASURES["long_tailed_accuracy"].of(run) == pytest.approx(113.5 / 120)
    assert MEASURES["flattery"].of(run) == pytest.approx(113.5 / 120 - 0.6)
    # where all classes are as well known, no weighting flatters
    assert abs(MEASURES["flattery"].of(unequal.runs[1]) or 1) < 0.05


def test_a_run_without_validation_has_none_of_them(made_up: MadeUp) -> None:
    run: Trained = made_up({"a": [None]}).runs[0]
    assert confusion(run) is None
    assert [MEASURES[name].of(run) for name in ("rare_recall", "long_tailed_accuracy", "flattery")] == [None] * 3


def test_pictures_of_rare_classes(unequal: Lab, tmp_path: Path) -> None:
    written = []
    for save, given in (
        (save_recalls, {"kind": "recalls", "panels": "net", "by": "net"}),
        (save_averages, {"kind": "averages", "panels": "net", "x": "net"}),
        (save_confusions, {"kind": "confusions", "panels": "net"}),
    ):
        config = FigureConfig.model_validate({"name": given["kind"], "title": "A title", **given})
        picture, table = save(unequal, config, tmp_path)
        assert picture.stat().st_size > 5000
        written.append(list(csv.reader(table.read_text().splitlines())))
    by_class, averages, matrices = written
    assert [row[2:4] for row in by_class[1:5]] == [["0", "100"], ["1", "10"], ["2", "9"], ["3", "1"]]
    assert [float(row[4]) for row in by_class[1:5]] == pytest.approx([1, 0.9, 0.5, 0])
    assert {row[0]: round(float(row[3]), 4) for row in averages if "balanced" in row[2]} == {"a": 0.6, "b": 0.975}
    assert matrices[3] == ["a", "2", "5", "0", "5", "0"]


def test_training_sizes_are_the_data_module_s(monkeypatch: pytest.MonkeyPatch, made_up: MadeUp) -> None:
    loaded = SimpleNamespace(data=SimpleNamespace(class_counts=[4, 2]))
    monkeypatch.setattr(of_runs.networks, "load", lambda run: loaded)
    assert of_runs.training_sizes(made_up({"a": [1.0]}).runs[0]).tolist() == [4, 2]
