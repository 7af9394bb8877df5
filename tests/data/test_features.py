"""Features are handed out as images would be: the same indices and labels, a view for each epoch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visionlab.data import features as features_module
from visionlab.data.features import FeatureLoader
from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader

VIEWS = np.random.default_rng(0).standard_normal((2, 30, 5), dtype=np.float32)
SETTINGS = {"mean": torch.zeros(1), "std": torch.ones(1), "batch_size": 8, "shuffle": True, "seed": 3}


@pytest.fixture
def source() -> ImageSet:
    return ImageSet(torch.zeros(30, 1, 4, 4, dtype=torch.uint8), torch.arange(30) % 3)


@pytest.mark.parametrize("is_copied", [False, True])
@pytest.mark.parametrize("rank", [0, 1])
def test_batches_are_those_of_the_images(
    source: ImageSet, rank: int, is_copied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_module, "_stay_in_file", lambda *_: not is_copied)
    ours = FeatureLoader(VIEWS, source, rank=rank, world_size=2, **SETTINGS)
    theirs = DeviceLoader(source, rank=rank, world_size=2, **SETTINGS)
    for epoch in range(3):
        ours.set_epoch(epoch)
        theirs.set_epoch(epoch)
        assert len(ours) == len(theirs) == 3
        for one, other in zip(ours, theirs, strict=True):
            assert torch.equal(one.indices, other.indices)
            assert torch.equal(one.targets, other.targets)
            assert np.array_equal(one.images, VIEWS[epoch % 2][one.indices])


def test_what_fills_an_accelerator_stays_in_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda", 0)
    monkeypatch.setattr(features_module, "available_on_gpu", lambda index: 2 * VIEWS.nbytes)
    assert not features_module._stay_in_file(VIEWS, device)
    monkeypatch.setattr(features_module, "available_on_gpu", lambda index: 2 * VIEWS.nbytes - 2)
    assert features_module._stay_in_file(VIEWS, device)
    assert features_module._stay_in_file(VIEWS, torch.device("cpu"))
