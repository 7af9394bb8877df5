"""Sheets hold every image once, with what was said of it; the heat lies where it belongs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.figures.made import read_title
from tests.prediction.trained import Trained
from visionlab.errors import UserError
from visionlab.prediction.explanation import PICTURES, Explanation
from visionlab.prediction.loading import load_predictor


@pytest.mark.parametrize("name", ["cropped", "grey"])
def test_every_image_is_on_a_sheet(name: str, trained: Trained, tmp_path: Path) -> None:
    run = trained.runs[name].id
    predictor = load_predictor(run)
    predictor.batch_size = 5
    broken = tmp_path / "broken.jpg"
    broken.touch()
    files = [*trained.files[:3], broken, *trained.files[3:14]]
    folder = tmp_path / "new" / "folder"
    explanation = Explanation(predictor, folder)
    said = []
    for batch in predictor.batches(files, 1):
        explanation.add(batch)
        said += [one for one in batch.predictions if one.error is None]
    explanation.flush()
    explanation.flush()
    assert explanation.sheets == 2
    assert {file.name for file in folder.iterdir()} == {
        f"explained-000{number}.{kind}" for number in (1, 2) for kind in ("png", "json")
    }
    sheets = [json.loads((folder / f"explained-000{number}.json").read_text()) for number in (1, 2)]
    assert [len(sheet["images"]) for sheet in sheets] == [PICTURES, 14 - PICTURES]
    assert [(one["file"], one["class"], one["probability"]) for sheet in sheets for one in sheet["images"]] == [
        (str(one.file), one.label, one.probability) for one in said
    ]
    assert read_title(folder / "explained-0002.png") == f"Where the network of {run} looked (Grad-CAM, bright is most)"


def test_names_of_any_bytes_are_drawn(trained: Trained, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a\xff\n$x$.jpg")
    try:
        shutil.copy(trained.files[0], odd)
    except OSError:
        pytest.skip("this file system takes no such names")
    predictor = load_predictor(trained.runs["plain"].id)
    explanation = Explanation(predictor, tmp_path / "folder")
    explanation.add(next(predictor.batches([odd], 1)))
    explanation.flush()
    (image,) = json.loads((tmp_path / "folder" / "explained-0001.json").read_text())["images"]
    assert image["file"] == f"{tmp_path}/a\\udcff\n$x$.jpg"


def test_a_network_without_a_map_is_told_in_a_line(trained: Trained, tmp_path: Path) -> None:
    predictor = load_predictor(trained.runs["flat"].id)
    explanation = Explanation(predictor, tmp_path / "folder")
    explanation.add(next(predictor.batches(trained.files[:2], 1)))
    with pytest.raises(UserError, match=r"^--explain: expected a convolutional network .* has none: model=mlp$"):
        explanation.flush()


def test_an_earlier_explanation_is_not_mixed_with_a_new_one(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "explained-0001.png").touch()
    predictor = load_predictor(trained.runs["plain"].id)
    with pytest.raises(UserError, match=r"found .*explained-0001\.png; name another"):
        Explanation(predictor, tmp_path)


def test_a_folder_that_cannot_be_made(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    predictor = load_predictor(trained.runs["plain"].id)
    with pytest.raises(UserError, match=r"--explain: cannot write to .*file.folder: Not a directory"):
        Explanation(predictor, tmp_path / "file" / "folder")
