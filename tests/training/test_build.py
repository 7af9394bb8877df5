from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.training.build import build_data, build_module


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["model=mlp", "data.augment.progressive=[6]"], "sides of images that model=mlp takes, given 6; [] trains on"),
        (["data.augment.progressive=[6,4]"], "sides of images that model=cnn takes, given 4; [] trains on"),
        (["data.augment.progressive=[8]"], "sides below 8, which is that of the images, given 8"),
    ],
)
def test_a_network_is_asked_whether_it_takes_smaller_images(words: list[str], expected: str) -> None:
    config = load_train_config(["experiment=digits", "data.fraction=0.2", *words])
    datamodule = build_data(config)
    with pytest.raises(UserError) as caught:
        build_module(config, datamodule)
    assert str(caught.value).startswith(f"data.augment.progressive: expected {expected}")


def test_asking_it_leaves_no_trace() -> None:
    words = ["experiment=digits", "data.fraction=0.2", "data.augment.progressive=[6]"]
    datamodule = build_data(load_train_config(words))
    found = []
    for config in (load_train_config(words), load_train_config(words[:2])):
        torch.manual_seed(0)
        module = build_module(config, datamodule)
        assert all(layer.training for layer in module.network.modules())
        found.append((module.state_dict(), torch.get_rng_state()))
    (asked, random), (unasked, other) = found
    assert torch.equal(random, other)
    assert all(torch.equal(tensor, unasked[name]) for name, tensor in asked.items())
