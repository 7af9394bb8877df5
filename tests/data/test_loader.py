from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from visionlab.data.images import ImageSet
from visionlab.data.loader import Batch, DeviceLoader
from visionlab.data.mapped import MappedImages


def make_loader(count: int = 10, **settings: Any) -> DeviceLoader:
    """Image i has the level i everywhere, and the label i."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 5).contiguous()
    defaults = {"mean": torch.zeros(3), "std": torch.full((3,), 1 / 255), "batch_size": 4, "shuffle": False}
    return DeviceLoader(ImageSet(images, torch.arange(count)), **(defaults | settings))


def noise(images: Tensor, labels: Tensor, indices: Tensor, epoch: int, generator: torch.Generator) -> Any:
    """A transform that draws a random number for each image."""
    return images + torch.rand(len(images), 1, 1, 1, generator=generator), labels


def shares(world_size: int, **settings: Any) -> list[list[Batch]]:
    """The batches of each rank."""
    return [list(make_loader(rank=rank, world_size=world_size, **settings)) for rank in range(world_size)]


@pytest.mark.parametrize("count", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_shares_of_all_ranks_are_the_batches_of_one_process(count: int, world_size: int, shuffle: bool) -> None:
    settings = {"count": count, "shuffle": shuffle, "seed": 3}
    single = list(make_loader(**settings))
    ranks = shares(world_size, **settings)
    assert {len(batches) for batches in ranks} == {len(single)} == {len(make_loader(**settings))}
    for step, whole in enumerate(single):
        parts = [batches[step] for batches in ranks]
        assert sorted(torch.cat([part.indices for part in parts]).tolist()) == sorted(whole.indices.tolist())
        for part in parts:
            assert torch.equal(part.targets, part.indices)
            assert torch.equal(part.images[:, 0, 0, 0].round().long(), part.indices)
            assert part.images.shape[1:] == (3, 4, 5)
    seen = [i for batches in ranks for batch in batches for i in batch.indices.tolist()]
    assert len(seen) == len(set(seen))
    if not shuffle:
        assert sorted(seen) == list(range(count))


def test_an_evaluation_goes_through_the_images_as_they_stand() -> None:
    assert [batch.indices.tolist() for batch in make_loader(10)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_training_epoch_drops_an_incomplete_batch_unless_it_is_the_only_one() -> None:
    assert [len(batch.indices) for batch in make_loader(10, shuffle=True)] == [4, 4]
    assert [len(batch.indices) for batch in make_loader(3, shuffle=True)] == [3]


def test_where_there_are_fewer_images_than_processes_some_batches_are_empty() -> None:
    ranks = shares(3, count=5)
    assert [[len(batch.indices) for batch in batches] for batches in ranks] == [[2, 1], [1, 0], [1, 0]]
    empty = ranks[2][1]
    assert empty.images.shape == (0, 3, 4, 5)
    assert empty.images.dtype == torch.float32
    assert empty.targets.shape == (0,)


def test_no_images_give_no_batches() -> None:
    assert list(make_loader(0)) == list(make_loader(0, shuffle=True)) == []


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int, **settings: Any) -> list[int]:
        loader = make_loader(50, shuffle=True, seed=seed, **settings)
        loader.set_epoch(epoch)
        return loader.order().tolist()

    reference = order(1, 2)
    torch.manual_seed(99)
    assert order(1, 2, rank=1, world_size=3, batch_size=7, channels_last=True) == reference
    assert sorted(reference) == list(range(50))
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_an_epoch_has_the_same_values_whenever_it_is_run() -> None:
    def values(loader: DeviceLoader, epoch: int) -> Tensor:
        loader.set_epoch(epoch)
        return torch.cat([batch.images for batch in loader])

    loader = make_loader(20, shuffle=True, transform=noise)
    first = [values(loader, epoch) for epoch in range(3)]
    assert not torch.equal(first[0], first[1])
    assert torch.equal(values(loader, 1), first[1])
    assert torch.equal(values(make_loader(20, shuffle=True, transform=noise), 2), first[2])


def test_a_step_has_the_same_values_whether_or_not_the_steps_before_it_were_run() -> None:
    calls = []

    def logging(images: Tensor, labels: Tensor, indices: Tensor, epoch: int, generator: torch.Generator) -> Any:
        calls.append((epoch, generator.initial_seed()))
        return noise(images, labels, indices, epoch, generator)

    loader = make_loader(12, shuffle=True, transform=logging)
    loader.set_epoch(5)
    batches = list(loader)
    assert [epoch for epoch, _ in calls] == [5, 5, 5]
    assert len({seed for _, seed in calls}) == 3
    again = iter(loader)
    next(again)
    torch.rand(7)
    assert torch.equal(next(again).images, batches[1].images)


def test_ranks_draw_different_numbers() -> None:
    seeds: list[int] = []

    def logging(images: Tensor, labels: Tensor, indices: Tensor, epoch: int, generator: torch.Generator) -> Any:
        seeds.append(generator.initial_seed())
        return images, labels

    shares(3, count=8, transform=logging)
    assert len(seeds) == len(set(seeds)) == 6


def test_normalisation_is_plain_arithmetic() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (9, 3, 4, 5), dtype=torch.uint8, generator=generator)
    mean, std = torch.tensor([0.49, 0.48, 0.45]), torch.tensor([0.25, 0.24, 0.26])
    source = ImageSet(pixels, torch.zeros(9, dtype=torch.long))
    loader = DeviceLoader(source, mean=mean, std=std, batch_size=4, shuffle=False)
    expected = (pixels.double() / 255 - mean.double().view(3, 1, 1)) / std.double().view(3, 1, 1)
    torch.testing.assert_close(torch.cat([batch.images for batch in loader]), expected.float(), atol=2e-6, rtol=0)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("transform", [None, noise])
@pytest.mark.parametrize("source_format", [torch.contiguous_format, torch.channels_last])
def test_the_memory_format_is_what_was_asked_for(channels_last: bool, transform: Any, source_format: Any) -> None:
    loader = make_loader(transform=transform, channels_last=channels_last)
    source = ImageSet(loader.source.images.to(memory_format=source_format), loader.source.labels)
    loader = make_loader(transform=transform, channels_last=channels_last)
    loader.source = source
    for batch in loader:
        assert batch.images.is_contiguous(memory_format=torch.channels_last) == channels_last
        assert batch.images.is_contiguous() != channels_last


def test_the_source_stays_as_it_is() -> None:
    loader = make_loader(shuffle=True, transform=noise)
    before = loader.source.images.clone()
    for batch in loader:
        batch.images.zero_()
        batch.targets.zero_()
    assert torch.equal(loader.source.images, before)
    assert torch.equal(loader.source.labels, torch.arange(10))


def test_images_that_stay_in_their_file_travel_batch_by_batch(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", np.zeros((10, 3, 4, 5), np.uint8))
    images = MappedImages(np.load(tmp_path / "pixels.npy", mmap_mode="r"))
    # a device without memory: what is computed there has a shape and no values
    loader = make_loader(device=torch.device("meta"), shuffle=True, side=4)
    loader.source = ImageSet(images, torch.arange(10))
    batches = list(loader)
    assert [batch.images.shape for batch in batches] == [(4, 3, 4, 4)] * 2
    assert {part.device.type for batch in batches for part in batch} == {"meta"}


def test_lightning_finds_set_epoch() -> None:
    from lightning.fabric.utilities.data import _set_sampler_epoch

    loader = make_loader(shuffle=True)
    _set_sampler_epoch(loader, 7)
    assert loader.epoch == 7
