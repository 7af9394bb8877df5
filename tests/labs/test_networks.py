"""The data that runs share when they are looked at again are those that each of them had."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from visionlab.config.load import load_train_config
from visionlab.labs import networks
from visionlab.training.engine import train
from visionlab.training.loading import load_run

WORDS = ["experiment=digits", "model=mlp", "model.hidden=[8]", "data.fraction=0.2", "trainer.max_epochs=1"]
WORDS += ["data.val_fraction=0.4", "trainer.accelerator=cpu", "tracking=off", "tracking.figures=false"]


def test_runs_that_differ_in_order_and_augmentation_share_their_data(home: Path) -> None:
    networks._read.cache_clear()
    ids = []
    for own in (["seed=0"], ["seed=1", "data.augment.flip=random", "data.batch_size=16"], ["data.split_seed=1"]):
        run = train(load_train_config([*WORDS, *own]))
        assert run is not None
        ids.append(run.id)
        trained: Any = SimpleNamespace(run=run)
        assert networks.accuracy(trained, "val") == pytest.approx(run.report()["validation"]["accuracy"])
    data = [networks._load(one).data for one in ids]
    assert data[0] is data[1]
    assert data[0] is not data[2]
    own_images = [load_run(one).data.evaluation_loader("train", 1000) for one in ids]
    for shared, own_loader in zip(data, own_images, strict=True):
        pair = next(iter(shared.evaluation_loader("train", 1000))), next(iter(own_loader))
        assert pair[0].targets.tolist() == pair[1].targets.tolist()
        assert (pair[0].images == pair[1].images).all()
