from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from visionlab.data import mapped
from visionlab.data.images import ImageSet, content_hashes
from visionlab.data.mapped import AHEAD, MappedImages, parts

CPU = torch.device("cpu")


@pytest.fixture
def pixels() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (600, 3, 5, 4), dtype=torch.uint8, generator=generator)


@pytest.fixture
def images(pixels: Tensor, tmp_path: Path) -> MappedImages:
    np.save(tmp_path / "pixels.npy", pixels.numpy())
    return MappedImages(np.load(tmp_path / "pixels.npy", mmap_mode="r"))


def test_they_answer_as_the_tensor_would(images: MappedImages, pixels: Tensor) -> None:
    chosen = torch.tensor([7, 599, 7, 0])
    assert len(images) == 600
    assert images.shape == pixels.shape
    assert images.nbytes == pixels.nbytes
    assert torch.equal(images[chosen], pixels[chosen])
    assert images[chosen[:0]].shape == (0, 3, 5, 4)
    assert torch.equal(images.to(CPU), pixels)
    assert [part.shape[0] for part in images.split(256)] == [256, 256, 88]
    assert torch.equal(torch.cat(list(images.split(256))), pixels)
    assert content_hashes(images) == content_hashes(pixels)


def test_all_images_are_gone_through_in_parts_of_about_one_length(
    images: MappedImages, pixels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length, count in ((1, 1), (60, 1), (600, 10), (10**6, 600)):
        monkeypatch.setattr(mapped, "PART", length)
        for found in (list(parts(images)), list(parts(pixels))):
            assert torch.equal(torch.cat(found), pixels)
            assert {len(part) for part in found} == {count}
        assert torch.equal(images.to(CPU), pixels)


def test_a_subset_of_a_subset_is_one_of_the_whole(images: MappedImages, pixels: Tensor) -> None:
    first, second = torch.arange(599, 0, -2), torch.tensor([3, 1, 4, 1, 5])
    part = images.subset(first).subset(second)
    assert part.shape == (5, 3, 5, 4)
    assert part.nbytes == 300
    assert torch.equal(part.to(CPU), pixels[first][second])
    assert torch.equal(part[torch.tensor([4])], pixels[first][second][4:])
    assert content_hashes(part) == content_hashes(pixels[first][second])


def test_a_set_of_mapped_images_is_split_without_reading_it(images: MappedImages, pixels: Tensor) -> None:
    everything = ImageSet(images, torch.arange(600))
    part = everything.subset(torch.tensor([5, 6]))
    assert isinstance(part.images, MappedImages)
    placed = part.to(CPU)
    assert isinstance(placed.images, Tensor)
    assert torch.equal(placed.images, pixels[5:7])
    assert placed.labels.tolist() == [5, 6]


def test_what_is_handed_out_may_be_written_to_and_the_file_stays(images: MappedImages, pixels: Tensor) -> None:
    images[torch.arange(600)].zero_()
    images.to(CPU).zero_()
    next(images.split(600)).zero_()
    assert torch.equal(images.to(CPU), pixels)
    with pytest.raises(ValueError, match="read-only"):
        images.view(0)[:] = 0


def test_batches_read_ahead_come_in_order(images: MappedImages, pixels: Tensor) -> None:
    chosen = list(torch.randperm(600, generator=torch.Generator().manual_seed(1)).split(70))
    for indices, batch in zip(chosen, images.read_ahead(chosen), strict=True):
        assert torch.equal(batch, pixels[indices])
    assert list(images.read_ahead([])) == []


def test_no_more_is_read_ahead_than_a_few_batches(images: MappedImages) -> None:
    asked: list[int] = []

    def selections() -> Iterator[Tensor]:
        for step in range(100):
            asked.append(step)
            yield torch.tensor([step])

    batches = images.read_ahead(selections())
    for used in range(10):
        next(batches)
        assert len(asked) == used + 1 + AHEAD
    batches.close()
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_a_failure_to_read_is_told_where_the_batch_is_used(images: MappedImages) -> None:
    batches = images.read_ahead([torch.tensor([0]), torch.tensor([600])])
    next(batches)
    with pytest.raises(IndexError):
        next(batches)
