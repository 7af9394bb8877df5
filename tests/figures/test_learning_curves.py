"""The curves are the journal's points; the title names the epoch whose weights are tested."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.figures.made import read_table, read_title
from visionlab.figures.learning_curves import NAMES, history, save_learning_curves
from visionlab.tracking import journal
from visionlab.tracking.journal import Journal


@pytest.fixture
def writer(tmp_path: Path) -> Journal:
    return Journal(tmp_path / journal.FILE_NAME)


def test_the_best_epoch_is_the_first_of_the_highest_validation_accuracy(writer: Journal, tmp_path: Path) -> None:
    for epoch, accuracy in enumerate((0.5, 0.912, 0.912, 0.7), start=1):
        writer.metrics(20 * epoch - 10, {"train/loss": 1 / epoch, "train/accuracy": 0.3, "lr": 0.1})
        writer.metrics(20 * epoch, {"val/loss": 1 / epoch, "val/accuracy": accuracy, "epoch": epoch})
        writer.metrics(20 * epoch, {"system/cpu_utilization_percentage": 50})
    writer.metrics(80, {"test/accuracy": 0.99})
    picture, table = save_learning_curves(writer.file, tmp_path / "figures")
    assert read_title(picture) == "Best at epoch 2: 91.2 % validation accuracy"
    headings, *rows = read_table(table)
    assert headings == ["step", "epoch", *NAMES]
    points = [dict(zip(headings, row, strict=True)) for row in rows]
    assert [(point["step"], point["epoch"]) for point in points[:3]] == [("10", "0.5"), ("20", "1"), ("30", "1.5")]
    assert [float(point["val/accuracy"]) for point in points if point["val/accuracy"]] == [0.5, 0.912, 0.912, 0.7]
    assert [float(point["train/loss"]) for point in points if point["train/loss"]] == [1, 1 / 2, 1 / 3, 1 / 4]


def test_without_validation_the_training_accuracy_is_told(writer: Journal, tmp_path: Path) -> None:
    for step in range(10, 50, 10):
        writer.metrics(step, {"train/loss": 1 / step, "train/accuracy": step / 100, "lr": 0.1})
        if step % 20 == 0:
            writer.metrics(step, {"images_per_second": 5})
    picture, _ = save_learning_curves(writer.file, tmp_path)
    assert read_title(picture) == "Training accuracy 40.0 % after epoch 2; no validation"


@pytest.mark.parametrize("name", ["train/loss", "val/accuracy", "lr"])
def test_one_point_is_a_curve(name: str, writer: Journal, tmp_path: Path) -> None:
    writer.metrics(7, {name: 0.5})
    picture, table = save_learning_curves(writer.file, tmp_path)
    expected = {
        "train/loss": "Training loss 0.5 after step 7; no validation",
        "val/accuracy": "Best at step 7: 50.0 % validation accuracy",
        "lr": "No accuracy was recorded",
    }
    assert read_title(picture) == expected[name]
    assert len(read_table(table)) == 2


def test_a_journal_without_points_has_no_curves(writer: Journal, tmp_path: Path) -> None:
    writer.append("start", run="a", params={}, tags={})
    writer.metrics(1, {"system/cpu_utilization_percentage": 50})
    assert save_learning_curves(writer.file, tmp_path) == []


def test_values_that_are_no_numbers_are_left_out_of_the_choice(writer: Journal, tmp_path: Path) -> None:
    writer.metrics(1, {"train/loss": math.nan, "val/accuracy": math.nan, "epoch": 1})
    writer.metrics(2, {"train/loss": math.inf, "val/accuracy": 0.5, "epoch": 2})
    assert "Best at epoch 2" in read_title(save_learning_curves(writer.file, tmp_path)[0])


def test_epochs_are_counted_from_validations_that_are_some_epochs_apart(writer: Journal) -> None:
    writer.metrics(60, {"val/accuracy": 0.5, "epoch": 3})
    writer.metrics(100, {"train/loss": 1})
    found = history(journal.read(writer.file)[0])
    assert found.steps_per_epoch == 20
    assert found.epochs == 5
