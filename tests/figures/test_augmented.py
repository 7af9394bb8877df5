"""The sheet of training samples: the pixels as they are, the labels as they are learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.figures.made import read_title
from visionlab.figures import augmented
from visionlab.figures.augmented import save_augmented
from visionlab.figures.sheet import Tile

CLASSES = ["cat", "dog", "eel"]


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[Tile]:
    """The tiles of the sheet that is drawn."""
    seen: list[Tile] = []
    save = augmented.save_sheet

    def spy(shown: list[Tile], title: str, file: Path) -> Path:
        seen.extend(shown)
        return save(shown, title, file)

    monkeypatch.setattr(augmented, "save_sheet", spy)
    return seen


def test_labels_are_names(tiles: list[Tile], tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)
    picture, numbers = save_augmented(images, np.arange(30) % 3, np.arange(100, 130), CLASSES, {}, tmp_path)
    assert read_title(picture) == "What the network trains on: the images as they are"
    assert len(tiles) == 24
    assert [tile.lines for tile in tiles[:3]] == [["cat"], ["dog"], ["eel"]]
    assert all((tile.pixels == image).all() for tile, image in zip(tiles, images, strict=False))
    samples = json.loads(numbers.read_text())["samples"]
    assert samples[1] == {"index": 101, "target": {"dog": 1.0}}


def test_mixed_labels_show_the_shares(tiles: list[Tile], tmp_path: Path) -> None:
    targets = np.float32([[0.7, 0.3, 0], [0, 1, 0], [0.001, 0, 0.999]])
    operations = {"crop_scale": [0.35, 1.0], "mixup": 0.2, "randaugment": {"ops": 2, "magnitude": 9}}
    arrays = np.zeros((3, 1, 8, 8), np.uint8), targets, np.arange(3)
    picture, numbers = save_augmented(*arrays, CLASSES, operations, tmp_path)
    lines = [" ".join(tile.lines).replace("\N{NO-BREAK SPACE}", " ") for tile in tiles]
    assert lines == ["cat 70 % + dog 30 %", "dog", "eel"]
    samples = json.loads(numbers.read_text())["samples"]
    assert samples[0]["target"] == {"cat": pytest.approx(0.7), "dog": pytest.approx(0.3)}
    title = "What the network trains on: crop_scale 0.35 to 1.0, mixup 0.2, randaugment ops 2 magnitude 9"
    assert read_title(picture) == title
