from __future__ import annotations

import pytest
import torch

from visionlab.data.images import ImageSet, content_hashes, fingerprint


def random_images(count: int, side: int = 4, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


def identify(images: torch.Tensor, labels: torch.Tensor, name: str = "train") -> str:
    return fingerprint({name: (content_hashes(images), labels)})


def test_equal_images_have_equal_hashes_and_others_have_not() -> None:
    images = random_images(40)
    images[7] = images[3]
    hashes = content_hashes(images)
    assert hashes[7] == hashes[3]
    assert len(set(hashes)) == 39


def test_a_hash_does_not_depend_on_the_other_images_or_on_memory() -> None:
    images = random_images(30)
    hashes = content_hashes(images)
    assert content_hashes(images[11:13]) == hashes[11:13]
    assert content_hashes(images.to(memory_format=torch.channels_last)) == hashes
    assert content_hashes(images[::2]) == hashes[::2]


def test_the_shape_counts() -> None:
    row = torch.arange(16, dtype=torch.uint8)
    hashes = {content_hashes(row.view(1, *shape))[0] for shape in ((1, 4, 4), (1, 2, 8), (4, 2, 2))}
    assert len(hashes) == 3


def test_no_images_have_no_hashes() -> None:
    assert content_hashes(random_images(0)) == []


def test_the_fingerprint_does_not_depend_on_the_order() -> None:
    images, labels = random_images(20), torch.arange(20) % 3
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert identify(images, labels) == identify(images[order], labels[order])


@pytest.mark.parametrize("change", ["pixel", "label", "swapped labels", "one less", "one twice", "split"])
def test_the_fingerprint_changes_with(change: str) -> None:
    images, labels = random_images(20), torch.arange(20) % 3
    before = identify(images, labels)
    name = "train"
    if change == "pixel":
        images[13, 2, 3, 3] ^= 1
    elif change == "label":
        labels[13] = 300
    elif change == "swapped labels":
        labels[[0, 1]] = labels[[1, 0]]
    elif change == "one less":
        images, labels = images[1:], labels[1:]
    elif change == "one twice":
        images, labels = torch.cat([images, images[:1]]), torch.cat([labels, labels[:1]])
    else:
        name = "test"
    assert identify(images, labels, name) != before


def test_the_fingerprint_knows_where_an_image_stands() -> None:
    hashes, labels = content_hashes(random_images(6)), torch.zeros(6, dtype=torch.long)

    def divided(at: int) -> str:
        return fingerprint({"train": (hashes[:at], labels[:at]), "test": (hashes[at:], labels[at:])})

    assert len({divided(at) for at in range(7)}) == 7


def test_a_subset_keeps_images_labels_and_groups_together() -> None:
    images = ImageSet(random_images(5), torch.arange(5), tuple("abcde"))
    part = images.subset(torch.tensor([4, 0, 0]))
    assert torch.equal(part.images, images.images[[4, 0, 0]])
    assert part.labels.tolist() == [4, 0, 0]
    assert part.groups == ("e", "a", "a")
    assert images.subset(torch.arange(5)) is images
    assert len(images.subset(torch.tensor([], dtype=torch.long))) == 0
