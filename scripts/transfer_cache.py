"""The part `cache` of bench_transfer.py: a linear probe on cached features, and one that computes them each epoch."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import lightning.pytorch as pl
import numpy as np
from bench_lib import median_ratio, print_table, spread
from torch import Tensor

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.tracking import journal
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module
from visionlab.training.fitting import fit
from visionlab.training.interruption import Interruption
from visionlab.training.quiet import quieten
from visionlab.training.recording import Recording
from visionlab.training.starting import initialize

OF_CIFAR10 = 50_000
# with AdamW, gradients that are nothing but rounding would be steps of full length
PROBE = ["experiment=cifar10_transfer", "optimizer=sgd", "data.batch_size=100", "data.val_fraction=0.1"]
RUN = ["trainer.val_every=1", "tracking=off", "trainer.devices=1"]
WANTED = "at least 10"


class Probe(NamedTuple):
    """A trained head.

    Attributes:
        head: its weights (K, F).
        epochs: seconds of each one after the first, with its validation.
        first: seconds to the end of the first one, the features included.
        loss, accuracy: of each validation.
    """

    head: Tensor
    epochs: list[float]
    first: float
    loss: list[float]
    accuracy: list[float]


def measure_cache(images: int, epochs: int) -> None:
    """Train the same head in both ways on the same images."""
    plain, cached = (train(images, epochs, is_cached) for is_cached in (False, True))
    print(f"\n{images:,} images of CIFAR-10 through EfficientNet-Lite0 at 128 x 128, a tenth of them to validate on")
    arms = {"computed in every epoch": plain, "cached": cached}
    rows = [(name, *spread(arm.epochs, 3), f"{arm.first:.1f}") for name, arm in arms.items()]
    print_table(["seconds an epoch", "median", "range", "the first one"], rows)
    print(f"computed / cached  {median_ratio(plain.epochs, cached.epochs)}, wanted: {WANTED}")
    largest, apart = float(plain.head.abs().max()), float((plain.head - cached.head).abs().max())
    print(f"weights of the heads: at most {apart:.1e} apart, the largest is {largest:.2f}")
    print(f"validation losses: at most {np.abs(np.subtract(plain.loss, cached.loss)).max():.1e} apart")
    print(f"validation accuracies: {'all the same' if plain.accuracy == cached.accuracy else 'not all the same'}")


def train(images: int, epochs: int, is_cached: bool) -> Probe:
    """The engine as `visionlab train` runs it, without a test; the times are those of its journal."""
    quieten()
    share, count = f"data.fraction={images / OF_CIFAR10}", f"trainer.max_epochs={epochs + 1}"
    config = load_train_config([*PROBE, *RUN, share, count, f"adapt.cache_features={str(is_cached).lower()}"])
    config = config.model_copy(update={"trainer": hardware.resolve(config.trainer)})
    if config.trainer.accelerator == "cpu":
        hardware.keep_freed_memory()
    pl.seed_everything(config.seed, verbose=False)
    with home_of_its_own(), redirect_stdout(io.StringIO()):
        datamodule = build_data(config)
        module = build_module(config, datamodule)
        initialize(config, module, datamodule)
        with Interruption() as interruption, Recording(config, datamodule, module, interruption) as recording:
            fit(config, module, datamodule, recording, interruption)
        assert recording.run is not None
        records = journal.read(recording.run.journal_file)[0]
    validated = [one for one in records if one["kind"] == "metrics" and "val/loss" in one["values"]]
    times = [records[0]["time"], *(one["time"] for one in validated)]
    first, *others = (np.diff(times) / 1000).tolist()
    loss, accuracy = ([one["values"][f"val/{name}"] for one in validated] for name in ("loss", "accuracy"))
    return Probe(module.network.head.weight.detach().cpu(), others, first, loss, accuracy)  # type: ignore[union-attr]


@contextmanager
def home_of_its_own() -> Iterator[None]:
    """Runs and features are written elsewhere for a while, and the images read from where they are."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        for found in project.data().glob("cifar-10*"):
            (data / found.name).symlink_to(found)
        os.environ |= {"VISIONLAB_HOME": name, "VISIONLAB_DATA": str(data)}
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
