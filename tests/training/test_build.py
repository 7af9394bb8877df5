from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.models.cnn import CNN
from visionlab.training.build import build_data, build_module

SMALLER = ["data.augment.progressive=[6]"]


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
        (
            ["model=mlp", "data.augment.progressive=[6]"],
            "sides of images that model=mlp takes, given 6 (RuntimeError: ",
        ),
        (["data.augment.progressive=[6,4]"], "sides of images that model=cnn takes, given 4 (RuntimeError: "),
        (["data.augment.progressive=[8]"], "sides below 8, which is that of the images, given 8"),
        (
            ["model=pretrained", "data.augment.progressive=[6]"],
            "none, as model=pretrained scales all images to 128x128",
        ),
    ],
)
def test_a_network_is_asked_whether_it_takes_smaller_images(words: list[str], expected: str) -> None:
    config = load_train_config(["experiment=digits", "data.fraction=0.2", *words])
    datamodule = build_data(config)
    with pytest.raises(UserError) as caught:
        build_module(config, datamodule)
    assert str(caught.value).startswith(f"data.augment.progressive: expected {expected}")


@pytest.mark.parametrize("norm", ["instance", "group", "batch"])
def test_a_size_that_trains_is_not_refused(norm: str) -> None:
    config = load_train_config(["experiment=digits", "model.width=4", f"model.norm={norm}", *SMALLER])
    datamodule = build_data(config)
    module = build_module(config, datamodule)
    datamodule.place(torch.device("cpu"), 0, 1, False)
    images = next(iter(datamodule.train_dataloader())).images
    assert images.shape[-2:] == (6, 6)
    assert module(images).isfinite().all()


def test_asking_it_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Held(CNN):
        """A network that holds a layer in evaluation."""

        def __init__(self, *arguments: Any, **sizes: Any) -> None:
            super().__init__(*arguments, **sizes)
            self.dropout.eval()

    monkeypatch.setattr("visionlab.models.cnn.CNN", Held)
    words = ["experiment=digits", "data.fraction=0.2"]
    datamodule = build_data(load_train_config(words))
    found = []
    for config in (load_train_config([*words, *SMALLER]), load_train_config(words)):
        torch.manual_seed(0)
        module = build_module(config, datamodule)
        modes = [layer.training for layer in module.network.modules()]
        assert modes.count(False) == 1
        found.append((module.state_dict(), torch.get_rng_state(), modes))
    (asked, random, modes), (unasked, others, other_modes) = found
    assert torch.equal(random, others)
    assert modes == other_modes
    assert all(torch.equal(tensor, unasked[name]) for name, tensor in asked.items())
