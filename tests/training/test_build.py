from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.training.build import build_data


def paint(root: Path, *splits: str) -> None:
    """Five pictures a class in each split."""
    for seed, split in enumerate(splits):
        generator = np.random.default_rng([seed, *split.encode()])
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for number in range(5):
                pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")


def test_early_stopping_goes_by_the_validation_set_that_a_folder_brings(tmp_path: Path) -> None:
    settings = ["data=folder", f"data.root={tmp_path}", "data.val_fraction=0", "trainer.early_stopping=2"]
    paint(tmp_path, "train", "test")
    with pytest.raises(UserError) as caught:
        build_data(load_train_config(settings))
    assert str(caught.value) == (
        "trainer.early_stopping: needs a validation set, and there is none; set data.val_fraction above 0"
    )
    paint(tmp_path, "val")
    assert build_data(load_train_config(settings)).sizes == {"train": 10, "val": 10, "test": 10}
