from __future__ import annotations

import math

import pytest
import torch

from visionlab.data.hashed import HashedSet
from visionlab.data.images import ImageSet
from visionlab.data.imbalance import long_tail, tail_sizes
from visionlab.errors import UserError


def make(*counts: int) -> HashedSet:
    """Images of which no two are the same, `counts` of each class, the classes mixed."""
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    images = ImageSet(torch.arange(len(labels)).view(-1, 1, 1, 1), labels[order])
    return HashedSet(images, [number.to_bytes(4, "big") for number in range(len(labels))])


def kept(part: HashedSet) -> set[bytes]:
    return set(part.hashes)


def counts(part: HashedSet) -> list[int]:
    return part.images.labels.bincount().tolist()


@pytest.mark.parametrize("ratio", [2, 10, 100, 100.5])
def test_sizes_fall_by_the_same_factor_from_the_first_class_to_the_last(ratio: float) -> None:
    sizes = tail_sizes([5000] * 10, ratio)
    assert sizes[0] == 5000
    for place, size in enumerate(sizes):
        assert abs(size - 5000 * ratio ** (-place / 9)) <= 0.5


def test_cifar10_with_the_ratio_100_is_that_of_the_papers() -> None:
    # rounded, where the papers' code rounds down
    assert tail_sizes([5000] * 10, 100) == [5000, 2997, 1797, 1077, 646, 387, 232, 139, 83, 50]


@pytest.mark.parametrize("given", [[40, 100, 100], [100, 30, 100], [100, 100, 3], [101, 99, 100]])
def test_the_ratio_is_as_asked_where_classes_differ_already(given: list[int]) -> None:
    sizes = tail_sizes(given, 10)
    assert all(size <= count for size, count in zip(sizes, given, strict=True))
    assert abs(sizes[0] / 10 - sizes[-1]) <= 0.5
    assert abs(sizes[0] / math.sqrt(10) - sizes[1]) <= 0.5
    # and no more is left out than has to be
    larger = [(sizes[0] + 1) * 10 ** (-place / 2) for place in range(3)]
    assert any(size > count for size, count in zip(larger, given, strict=True))


def test_a_ratio_that_leaves_nothing_of_a_class_is_refused() -> None:
    assert tail_sizes([30] * 3, 30)[-1] == 1
    with pytest.raises(UserError, match=r"^data\.imbalance: expected a ratio of at most about 30, .* given 31$"):
        tail_sizes([30] * 3, 31)
    with pytest.raises(UserError, match="several classes, found those of one"):
        tail_sizes([30], 2)


def test_what_stays_is_the_same_whatever_the_order_of_the_files() -> None:
    source = make(100, 100, 100)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    first, second = long_tail(source, 10, 0), long_tail(source.subset(order), 10, 0)
    assert counts(first) == counts(second) == [100, 32, 10]
    assert kept(first) == kept(second)
    # and in the order in which they stood
    assert first.hashes == sorted(first.hashes)


def test_the_seed_draws_other_images() -> None:
    source = make(100, 100, 100)
    first, second = (kept(long_tail(source, 10, seed)) for seed in (0, 1))
    assert len(first) == len(second) == 142
    assert len(first & second) < 142 - 20


def test_a_larger_ratio_keeps_some_of_what_a_smaller_one_keeps() -> None:
    source = make(100, 100, 100)
    assert kept(long_tail(source, 20, 0)) < kept(long_tail(source, 10, 0)) < kept(source)


def test_classes_without_an_image_have_no_place_in_the_row() -> None:
    assert counts(long_tail(make(100, 0, 100, 0, 100), 10, 0)) == [100, 0, 32, 0, 10]
