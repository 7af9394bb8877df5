"""All pictures of a run at once, from a data module, without a trace in the training that may go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.figures.made import make_run, read_title
from visionlab.config.data import AugmentConfig, DigitsConfig
from visionlab.data.digits import Digits
from visionlab.figures import gallery

STEMS = {
    "learning_curves": ".csv",
    "confusion_matrix": ".csv",
    "per_class": ".csv",
    "roc": ".csv",
    "precision_recall": ".csv",
    "reliability": ".csv",
    "hardest": ".json",
    "augmented": ".json",
}


def digits(**augment: float) -> Digits:
    datamodule = Digits(DigitsConfig(batch_size=64, augment=AugmentConfig(**augment)))
    datamodule.setup()
    return datamodule


def test_a_tested_run_gets_every_picture_its_numbers_and_a_page() -> None:
    datamodule = digits(translate=1)
    run = make_run(classes=datamodule.classes, images=len(datamodule.images("test")))
    files = gallery.draw(run, datamodule)
    expected = {run.figures / f"{stem}{suffix}" for stem, numbers in STEMS.items() for suffix in (".png", numbers)}
    assert set(files) == expected | {run.path / "report.html"}
    assert len(files) == len(set(files))
    assert set(run.figures.iterdir()) == expected
    for stem in STEMS:
        read_title(run.figures / f"{stem}.png")
    assert ">finished<" in (run.path / "report.html").read_text(encoding="utf-8")


def test_the_validation_matrix_that_a_run_keeps_is_drawn_too() -> None:
    run = make_run(tested=False)
    run.add_table(
        "validation_confusion_matrix", {"true class": ["a", "b"], "predicted a": [1, 0], "predicted b": [1, 3]}
    )
    names = [file.name for file in gallery.draw_from_disk(run)]
    assert names == [
        "learning_curves.png",
        "learning_curves.csv",
        "validation_confusion_matrix.png",
        "validation_confusion_matrix.csv",
    ]


def test_the_hardest_images_are_those_of_the_test_split(monkeypatch: pytest.MonkeyPatch) -> None:
    datamodule = digits()
    run = make_run(classes=datamodule.classes, images=len(datamodule.images("test")), strength=1.0)
    read: list[tuple[np.ndarray, np.ndarray]] = []
    save = gallery.save_hardest

    def spy(images, *arguments: object) -> list[Path]:  # type: ignore[no-untyped-def]
        indices = np.array([5, 3])
        read.append((indices, images(indices)))
        return save(images, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gallery, "save_hardest", spy)
    gallery.draw(run, datamodule)
    ((indices, pixels),) = read
    assert (pixels == datamodule.images("test").images[torch.from_numpy(indices)].numpy()).all()


def test_training_samples_have_their_pixels_back(monkeypatch: pytest.MonkeyPatch) -> None:
    datamodule = digits()
    run = make_run(classes=datamodule.classes, images=len(datamodule.images("test")))
    seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    save = gallery.save_augmented

    def spy(images: np.ndarray, targets: np.ndarray, indices: np.ndarray, *arguments: object) -> list[Path]:
        seen.append((images, targets, indices))
        return save(images, targets, indices, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gallery, "save_augmented", spy)
    gallery.draw(run, datamodule)
    ((images, targets, indices),) = seen
    train = datamodule.images("train")
    assert images.dtype == np.uint8
    assert (images == train.images.numpy()[indices]).all()
    assert (targets == train.labels.numpy()[indices]).all()


def test_mixed_training_samples_have_mixed_labels() -> None:
    datamodule = digits(mixup=1.0)
    run = make_run(classes=datamodule.classes, images=len(datamodule.images("test")))
    gallery.draw(run, datamodule)
    numbers = json.loads((run.figures / "augmented.json").read_text())
    assert numbers["operations"] == {"mixup": 1.0}
    assert any(len(sample["target"]) == 2 for sample in numbers["samples"])
    assert all(sum(sample["target"].values()) == pytest.approx(1, abs=0.02) for sample in numbers["samples"])


def test_drawing_leaves_training_as_it_was() -> None:
    datamodule = digits(translate=1, mixup=0.4)
    run = make_run(classes=datamodule.classes, images=len(datamodule.images("test")))
    loader = datamodule.train_dataloader()
    batches = iter(loader)
    next(batches)
    state, own = loader.state_dict(), torch.get_rng_state()
    expected = [batch.images.clone() for batch in datamodule.train_dataloader()]
    gallery.draw(run, datamodule)
    assert loader.state_dict() == state
    assert torch.equal(torch.get_rng_state(), own)
    assert torch.equal(next(batches).images, expected[1])
