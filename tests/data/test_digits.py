from __future__ import annotations

import torch

from visionlab.config.data import DigitsConfig
from visionlab.data.digits import Digits
from visionlab.data.images import content_hashes


def prepared(**settings: int) -> Digits:
    datamodule = Digits(DigitsConfig(**settings))
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


def test_sizes_shape_and_classes() -> None:
    datamodule = prepared()
    assert datamodule.sizes == {"train": 1295, "val": 143, "test": 359}
    assert datamodule.image_shape == (1, 8, 8)
    assert datamodule.classes == tuple("0123456789")
    assert datamodule.notes == {}
    for name in ("train", "val", "test"):
        counts = torch.bincount(datamodule.images(name).labels, minlength=10)
        assert counts.max() - counts.min() <= 0.12 * counts.max() + 1  # the data set has 174 to 183 of each


def test_the_seventeen_levels_span_all_greys() -> None:
    levels = torch.cat([prepared().images(name).images for name in ("train", "val", "test")]).unique()
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


def test_the_test_images_are_the_same_for_every_split() -> None:
    one, other = prepared(split_seed=0), prepared(split_seed=1)
    assert torch.equal(one.images("test").images, other.images("test").images)
    assert set(content_hashes(one.images("val").images)) != set(content_hashes(other.images("val").images))
    assert one.fingerprint == other.fingerprint
