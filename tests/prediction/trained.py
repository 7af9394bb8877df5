"""Small runs, trained once for all tests that ask for them, on photos that are gone by the time of prediction."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionlab.config.load import load_train_config
from visionlab.tracking.run import Run
from visionlab.training.engine import train

COMMON = [
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
    "data.augment={}",
]
PETS = ["data=folder", "data.image_size=16", "data.batch_size=16"]
SETTINGS = {
    "plain": [*PETS, "model=cnn", "model.width=4"],
    "cropped": [
        *(*PETS, "model=cnn", "model.width=4"),
        *("data.cache_size=20", "task.test_time=flip", "trainer.channels_last=true"),
    ],
    "grey": [*PETS, "data.color=grey", "model=resnet", "model.depth=20", "model.width=4"],
    "digits": ["experiment=digits", "data.fraction=0.3", "model.width=4"],
    "flat": [*PETS, "model=mlp", "model.hidden=[8]"],
    "probe": [
        *(*PETS, "model=pretrained", "model.input_size=32", "optimizer=adamw"),
        *("adapt.freeze=backbone", "adapt.cache_features=true"),
    ],
}


@dataclass(frozen=True)
class Trained:
    """Attributes:
    home: with the runs.
    photos: the test images of pets, by class folder; they lie elsewhere than in training.
    runs: by the names in SETTINGS.
    """

    home: Path
    photos: Path
    runs: dict[str, Run]

    @property
    def files(self) -> list[Path]:
        """In the order of the test split."""
        return sorted(self.photos.glob("*/*"))


@pytest.fixture
def trained(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The runs, in the home of this test. To be left as they are."""
    made = _train(tmp_path_factory.getbasetemp())
    monkeypatch.setenv("VISIONLAB_HOME", str(made.home))
    return made


@pytest.fixture
def copied(trained: Trained, home: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The runs, copied for this test."""
    monkeypatch.setenv("VISIONLAB_HOME", str(home))
    shutil.copytree(trained.home / "runs", home / "runs")
    return Trained(home, trained.photos, {name: Run(home / "runs" / run.id) for name, run in trained.runs.items()})


@cache
def _train(session: Path) -> Trained:
    home = session / "trained"
    root = home / "pets"
    rng = np.random.default_rng(0)
    for number in range(96):
        label, split = ("cat", "dog", "owl")[number % 3], "test" if number % 4 == 0 else "train"
        pixels = rng.integers(0, 256, (18 + number % 7, 24 - number % 5, 3), dtype=np.uint8)
        pixels[..., number % 3] //= 2
        file = root / split / label / f"{number:02}.{('png', 'jpg')[number % 2]}"
        file.parent.mkdir(parents=True, exist_ok=True)
        # cameras that were held upright
        Image.fromarray(pixels).save(file, exif=_turned(6 if number % 5 == 0 else 1))
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONLAB_HOME", str(home))
        patch.setenv("VISIONLAB_DATA", str(home / "data"))
        for name, settings in SETTINGS.items():
            own = [f"data.root={root}"] if "data=folder" in settings else []
            run = train(load_train_config([*settings, *COMMON, *own, f"name={name}"]))
            assert run is not None
            runs[name] = run
    photos = home / "photos"
    (root / "test").rename(photos)
    shutil.rmtree(root)
    shutil.rmtree(home / "data")
    return Trained(home, photos, runs)


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
