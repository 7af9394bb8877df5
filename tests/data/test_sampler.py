from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from visionlab.data.images import ImageSet
from visionlab.data.loader import DeviceLoader
from visionlab.data.sampler import balanced, shuffled

COUNTS = (900, 90, 0, 10)  # images of each class
LABELS = torch.arange(4).repeat_interleave(torch.tensor(COUNTS))
DEVIATIONS = 4.5  # one test in 100,000 would fail by chance, were its seed not fixed


def epochs(number: int, labels: Tensor = LABELS) -> Tensor:
    """The draws of so many epochs, (number, N)."""
    return torch.stack([balanced(labels, torch.Generator().manual_seed(epoch)) for epoch in range(number)])


def loader(count: int = 60, batch_size: int = 7, **settings: Any) -> DeviceLoader:
    """Image i has the level i everywhere."""
    images = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
    labels = (torch.arange(count) % 10 > 7).long()  # 4 : 1
    shape = {"mean": torch.zeros(1), "std": torch.full((1,), 1 / 255), "batch_size": batch_size}
    return DeviceLoader(ImageSet(images, labels), shuffle=True, draw=balanced, seed=3, **shape, **settings)


def test_an_epoch_is_as_long_as_the_training_set() -> None:
    assert epochs(1).shape == (1, 1000)
    assert len(loader()) == 60 // 7


def test_classes_are_equally_frequent_and_so_are_the_images_of_a_class() -> None:
    draws = epochs(40)
    total = draws.numel()
    of_class = LABELS[draws].flatten().bincount(minlength=4)
    of_image = draws.flatten().bincount(minlength=1000)
    for label, count in enumerate(COUNTS):
        if count == 0:
            assert of_class[label] == 0
            continue
        assert abs(of_class[label] - total / 3) < DEVIATIONS * (total * 1 / 3 * 2 / 3) ** 0.5
        p = 1 / (3 * count)
        found, expected = of_image[label == LABELS].double(), total * p
        # Pearson's statistic, whose mean is the number of images and whose variance is about twice that
        assert abs(((found - expected) ** 2 / expected).sum() - count) < DEVIATIONS * (2 * count) ** 0.5
        if expected > 100:
            assert ((found - expected).abs() < DEVIATIONS * (total * p * (1 - p)) ** 0.5).all()


def test_images_are_drawn_independently() -> None:
    # of 1000 draws, 333 are of the 10 images of a class: without replacement there would be 10
    assert (LABELS[epochs(1)[0]] == 3).sum() > 200
    # and the order has no structure: a class follows itself in a third of all cases
    classes = LABELS[epochs(40)]
    follows = (classes[:, 1:] == classes[:, :-1]).double()
    assert abs(follows.mean() - 1 / 3) < DEVIATIONS * (2 / 9 / follows.numel()) ** 0.5


def test_the_order_of_the_images_is_no_matter_to_the_classes() -> None:
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    mixed = LABELS[order]
    assert torch.equal(mixed[epochs(2, mixed)], LABELS[epochs(2)])


def test_no_images_and_one_class() -> None:
    generator = torch.Generator()
    assert balanced(torch.zeros(0, dtype=torch.long), generator).tolist() == []
    assert set(balanced(torch.full((5,), 3), generator).tolist()) <= set(range(5))


def test_shuffled_has_every_image_once() -> None:
    draw = shuffled(LABELS, torch.Generator().manual_seed(1))
    assert draw.sort().values.tolist() == list(range(1000))
    assert draw.tolist() != list(range(1000))


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize(("count", "batch_size"), [(60, 7), (5, 8), (13, 13), (64, 4)])
def test_the_shares_of_all_ranks_are_the_one_draw(world_size: int, count: int, batch_size: int) -> None:
    settings = {"count": count, "batch_size": batch_size, "world_size": world_size}
    draws = []
    for epoch in range(3):
        ranks = []
        for rank in range(world_size):
            one = loader(rank=rank, **settings)
            one.set_epoch(epoch)
            ranks.append(list(one))
        whole = one.order()
        draws.append(whole.tolist())
        size = min(batch_size, count)
        assert len({len(batches) for batches in ranks}) == 1
        for step, parts in enumerate(zip(*ranks, strict=True)):
            for rank, part in enumerate(parts):
                assert part.indices.tolist() == whole[step * size : (step + 1) * size][rank::world_size].tolist()
                assert part.images[:, 0, 0, 0].round().long().tolist() == part.indices.tolist()
        assert sum(len(batch.indices) for batches in ranks for batch in batches) == count - count % size
    assert draws[0] != draws[1] != draws[2]


def test_an_epoch_goes_on_where_it_was_left() -> None:
    whole = [batch.indices.tolist() for batch in loader()]
    again = loader()
    again.load_state_dict({"done": 5})
    assert [batch.indices.tolist() for batch in again] == whole[5:]
