from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import torch

from visionlab.data.images import ImageSet
from visionlab.data.splits import split, split_fold, without
from visionlab.errors import UserError


def make(labels: Sequence[int], groups: Sequence[str] | None = None) -> tuple[ImageSet, list[bytes]]:
    """Images with the given labels, all of them different."""
    images = ImageSet(
        torch.zeros(len(labels), 1, 1, 1), torch.tensor(labels), None if groups is None else tuple(groups)
    )
    return images, [number.to_bytes(4, "big") for number in range(len(labels))]


def taken(images: ImageSet, hashes: list[bytes], fraction: float, seed: int = 0, purpose: str = "test") -> set[int]:
    rest, off = split(images, hashes, fraction, seed, purpose)
    assert sorted(rest.tolist() + off.tolist()) == list(range(len(images)))
    assert rest.tolist() == sorted(rest.tolist())
    assert off.tolist() == sorted(off.tolist())
    return set(off.tolist())


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.15, 0.5, 0.9])
def test_each_class_gives_its_share(fraction: float) -> None:
    labels = [0] * 200 + [1] * 100 + [2] * 33
    off = Counter(labels[i] for i in taken(*make(labels), fraction))
    assert off == {0: round(200 * fraction), 1: round(100 * fraction), 2: round(33 * fraction)}


def test_nothing_and_everything() -> None:
    images, hashes = make([0, 0, 1])
    assert taken(images, hashes, 0.0) == set()
    assert taken(images, hashes, 1.0) == {0, 1, 2}


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_a_class_of_two_has_one_on_either_side(fraction: float) -> None:
    labels = [0, 0, 1, 1, 1]
    off = Counter(labels[i] for i in taken(*make(labels), fraction))
    assert off[0] == 1
    assert off[1] == (1 if fraction < 0.5 else 2)


def test_seed_and_purpose_draw_other_splits() -> None:
    images, hashes = make([0] * 100)
    draws = [taken(images, hashes, 0.2, seed, purpose) for seed in range(3) for purpose in ("test", "validation")]
    assert draws[0] == taken(images, hashes, 0.2, 0, "test")
    for number, one in enumerate(draws):
        for other in draws[:number]:
            assert 1 <= len(one & other) <= 12  # about 4 of 20 by chance


def test_the_order_of_the_files_does_not_matter() -> None:
    # conflicting labels and groups too, as ties are where an order slips in
    labels = [i % 3 for i in range(60)]
    groups = [f"g{i // 5}" if i % 2 else f"own {i}" for i in range(60)]
    images, hashes = make(labels, groups)
    hashes[10], hashes[40] = hashes[11], hashes[41]
    before = {hashes[i] for i in taken(images, hashes, 0.3)}
    for seed in range(5):
        order = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
        shuffled = [hashes[i] for i in order.tolist()]
        assert {shuffled[i] for i in taken(images.subset(order), shuffled, 0.3)} == before


def test_a_tie_between_classes_does_not_depend_on_the_order() -> None:
    for seed in range(20):
        images, hashes = make([0, 1, 0, 0, 1, 1, 1])
        hashes[1] = hashes[0]  # one image, once in each class
        order = torch.tensor([1, 0, 2, 3, 4, 5, 6])
        one, other = taken(images, hashes, 0.4, seed), taken(images.subset(order), hashes, 0.4, seed)
        assert {hashes[i] for i in one} == {hashes[i] for i in other}


def test_copies_stay_together_whatever_their_labels() -> None:
    images, hashes = make([i % 4 for i in range(200)])
    for i in range(0, 100, 2):
        hashes[i + 1] = hashes[i]  # of another class
    for seed in range(5):
        off = taken(images, hashes, 0.3, seed)
        assert {hashes[i] for i in off}.isdisjoint(hashes[i] for i in range(200) if i not in off)


def test_groups_stay_together() -> None:
    groups = [f"patient {i // 7}" for i in range(210)]
    images, hashes = make([i % 2 for i in range(210)], groups)
    for seed in range(5):
        off = taken(images, hashes, 0.2, seed)
        assert {groups[i] for i in off}.isdisjoint(groups[i] for i in range(210) if i not in off)
        assert 36 <= len(off) <= 48


def test_groups_are_chained_by_copies() -> None:
    # a and b share an image, b and c another one: a, b and c are one
    groups = ["a", "a", "b", "b", "c", "c", *(f"d{i}" for i in range(20))]
    images, hashes = make([0] * 26, groups)
    hashes[2], hashes[4] = hashes[1], hashes[3]
    sides = set()
    for seed in range(40):
        chained = taken(images, hashes, 0.4, seed) & set(range(6))
        assert chained in (set(), set(range(6)))
        sides.add(len(chained))
    assert sides == {0, 6}


def test_a_group_that_is_too_large_is_passed_over() -> None:
    images, hashes = make([0] * 100, ["large"] * 80 + [f"small {i}" for i in range(20)])
    for seed in range(10):
        assert len(taken(images, hashes, 0.1, seed)) == 10
    # where every group is too large, the smallest one is the nearest
    images, hashes = make([0] * 100, ["large"] * 60 + ["smaller"] * 40)
    assert taken(images, hashes, 0.1) == set(range(60, 100))


def test_more_images_move_hardly_any() -> None:
    images, hashes = make([0] * 100)
    before = {hashes[i] for i in taken(images, hashes, 0.2)}
    more, more_hashes = make([0] * 105)
    after = {more_hashes[i] for i in taken(more, more_hashes, 0.2)}
    assert len(before - after) <= 5


def test_a_larger_fraction_holds_the_smaller_one() -> None:
    images, hashes = make([i % 3 for i in range(90)])
    assert taken(images, hashes, 0.2) < taken(images, hashes, 0.5) < taken(images, hashes, 0.9)


def parts(images: ImageSet, hashes: list[bytes], folds: int, seed: int = 0) -> list[set[int]]:
    """The indices of each fold, after checking that they and what remains are the whole."""
    found = []
    for fold in range(folds):
        rest, off = split_fold(images, hashes, fold, folds, seed)
        assert sorted(rest.tolist() + off.tolist()) == list(range(len(images)))
        assert rest.tolist() == sorted(rest.tolist())
        assert off.tolist() == sorted(off.tolist())
        found.append(set(off.tolist()))
    return found


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_folds_are_the_whole_and_each_has_its_share_of_every_class(folds: int) -> None:
    labels = [0] * 101 + [1] * 52 + [2] * 11
    found = parts(*make(labels), folds)
    assert sum(map(len, found)) == len(labels) == len(set.union(*found))
    for label, count in Counter(labels).items():
        shares = [sum(labels[i] == label for i in part) for part in found]
        assert set(shares) <= {count // folds, count // folds + 1}
    # what is left over of the classes does not pile up in the first folds
    assert max(map(len, found)) - min(map(len, found)) <= 2


def test_folds_part_neither_copies_nor_groups() -> None:
    labels = [i % 3 for i in range(240)]
    groups = [f"patient {i // 6}" for i in range(240)]
    images, hashes = make(labels, groups)
    for i in range(0, 240, 30):
        hashes[i] = hashes[(i + 7) % 240]  # a copy in another group
    for folds in (2, 5):
        found = parts(images, hashes, folds)
        for part in found:
            others = set(range(240)) - part
            assert {groups[i] for i in part}.isdisjoint(groups[i] for i in others)
            assert {hashes[i] for i in part}.isdisjoint(hashes[i] for i in others)


def test_folds_of_groups_differ_by_no_more_than_the_largest() -> None:
    sizes = [1, 9, 2, 7, 3, 5, 4, 4, 8, 1, 6, 2, 3, 9, 5, 7, 1, 2, 8, 4]
    groups = [f"{label} {number}" for label in range(2) for number, size in enumerate(sizes) for _ in range(size)]
    labels = [int(group[0]) for group in groups]
    for part in parts(*make(labels, groups), 4):
        for label in range(2):
            assert abs(sum(labels[i] == label for i in part) - sum(sizes) / 4) <= max(sizes)


def test_folds_do_not_depend_on_the_order_of_the_images() -> None:
    labels = [i % 3 for i in range(90)]
    images, hashes = make(labels, [f"g{i // 4}" if i % 2 else f"own {i}" for i in range(90)])
    hashes[10], hashes[40] = hashes[11], hashes[41]
    before = [{hashes[i] for i in part} for part in parts(images, hashes, 4)]
    for seed in range(3):
        order = torch.randperm(90, generator=torch.Generator().manual_seed(seed))
        shuffled = [hashes[i] for i in order.tolist()]
        assert [{shuffled[i] for i in part} for part in parts(images.subset(order), shuffled, 4)] == before


def test_another_seed_gives_other_folds() -> None:
    images, hashes = make([0] * 100)
    first, second = parts(images, hashes, 5), parts(images, hashes, 5, seed=1)
    assert first == parts(images, hashes, 5)
    for one in first:
        assert all(len(one & other) <= 14 for other in second)  # of 20, 4 by chance


def test_more_folds_than_images_of_a_class_leave_some_without_it_but_none_empty() -> None:
    labels = [0, 0, 0, 1, 1, 1, 1]
    found = parts(*make(labels), 6)
    assert sum(map(len, found)) == 7
    assert min(map(len, found)) == 1
    assert max(sum(labels[i] == 0 for i in part) for part in found) == 1


def test_more_folds_than_units_are_refused_for_every_fold() -> None:
    images, hashes = make([0, 0, 1, 1])
    hashes[1] = hashes[0]
    for fold in range(4):
        with pytest.raises(UserError, match=r"^data\.folds: expected at most 3, .* different images, given 4$"):
            split_fold(images, hashes, fold, 4, 0)
    images, hashes = make([0, 0, 1, 1], ["a", "a", "b", "b"])
    with pytest.raises(UserError, match=r"^data\.folds: expected at most 2, .* groups, given 3$"):
        split_fold(images, hashes, 0, 3, 0)


def left(names: str, held_out: str, groups: str | None = None, held_out_groups: str | None = None) -> str:
    """What of the images that letters name is left without others; groups are letters too."""

    def images(letters: str, of: str | None) -> tuple[ImageSet, list[bytes]]:
        source, _ = make([0] * len(letters), None if of is None else list(of))
        return source, [letter.encode() for letter in letters]

    return "".join(names[i] for i in without(*images(names, groups), *images(held_out, held_out_groups)).tolist())


def test_without() -> None:
    assert left("abac", "ax") == "bc"
    assert left("a", "a") == ""
    assert left("ab", "") == "ab"


def test_without_takes_whole_groups() -> None:
    # b and d are of a group with a
    assert left("abcdef", "ax", "gghgij") == "cef"
    # and the second b is a copy of the first, which brings its own group, and f with it
    assert left("abbdef", "ax", "gghijh") == "de"
    # a group that is held out itself
    assert left("abc", "xy", "ghi", "hk") == "ac"
    assert left("abc", "xy", None, "hk") == "abc"
