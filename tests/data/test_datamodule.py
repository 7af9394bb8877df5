from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from visionlab.config.data import DigitsConfig
from visionlab.data import mapped as in_file
from visionlab.data.datamodule import ImageDataModule, Raw
from visionlab.data.images import ImageSet, content_hashes
from visionlab.data.mapped import MappedImages
from visionlab.errors import UserError


class Given(ImageDataModule[DigitsConfig]):
    """A data set that is handed in."""

    def __init__(self, raw: Raw, seed: int = 0, **settings: Any) -> None:
        super().__init__(DigitsConfig(**settings), seed)
        self.raw = raw
        self.reads = 0

    def read(self) -> Raw:
        self.reads += 1
        return self.raw


def some(count: int, seed: int = 0, classes: int = 2) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(count) % classes)


def join(*sets: ImageSet) -> ImageSet:
    return ImageSet(torch.cat([one.images for one in sets]), torch.cat([one.labels for one in sets]))


def prepared(train: ImageSet, test: ImageSet | None = None, val: ImageSet | None = None, **settings: Any) -> Given:
    names = settings.pop("classes", ("cat", "dog"))
    statistics = {
        key: settings.pop(key) for key in ("mean", "std", "test_fraction", "notes", "side", "origin") if key in settings
    }
    datamodule = Given(Raw(train, test, names, val=val, **statistics), **settings)
    datamodule.setup()
    return datamodule


def content(images: ImageSet) -> set[bytes]:
    return set(content_hashes(images.images))


def test_an_official_test_set_stays_whole_and_in_order() -> None:
    test = some(30, seed=1)
    datamodule = prepared(some(200), test, val_fraction=0.25, split_seed=5)
    assert torch.equal(datamodule.images("test").images, test.images)
    assert datamodule.sizes == {"train": 150, "val": 50, "test": 30}
    assert torch.bincount(datamodule.images("val").labels).tolist() == [25, 25]


def test_without_one_a_share_is_held_out_the_same_for_every_seed() -> None:
    tests = []
    validations = set()
    for split_seed, seed in ((0, 0), (1, 0), (2, 9)):
        datamodule = prepared(some(200), seed=seed, split_seed=split_seed, test_fraction=0.3, val_fraction=0.1)
        assert datamodule.sizes == {"train": 126, "val": 14, "test": 60}
        tests.append(datamodule.images("test").images)
        validations.add(frozenset(content(datamodule.images("val"))))
    assert torch.equal(tests[0], tests[1])
    assert torch.equal(tests[0], tests[2])
    assert len(validations) == 3


@pytest.mark.parametrize("own_test", [False, True])
@pytest.mark.parametrize("own_val", [False, True])
def test_splits_are_disjoint_by_content_whatever_is_given(own_test: bool, own_val: bool) -> None:
    base = some(120)
    first, second = base.subset(torch.arange(10)), base.subset(torch.arange(5, 15))
    relabelled = ImageSet(first.images, 1 - first.labels)
    train = join(base, second, relabelled)
    val = join(some(20, seed=1), second, first) if own_val else None
    test = join(some(20, seed=2), first) if own_test else None
    datamodule = prepared(train, test, val, val_fraction=0.2)
    parts = [content(datamodule.images(name)) for name in ("train", "val", "test")]
    assert all(parts)
    assert parts[0].isdisjoint(parts[1])
    assert parts[0].isdisjoint(parts[2])
    assert parts[1].isdisjoint(parts[2])
    if own_test:
        assert torch.equal(datamodule.images("test").images, test.images)  # type: ignore[union-attr]


def test_what_is_left_out_is_counted() -> None:
    train, val, test = some(60), some(10, seed=1), some(10, seed=2)
    train = join(train, train.subset(torch.tensor([0])), val.subset(torch.arange(3)), test.subset(torch.arange(4)))
    val = join(val, test.subset(torch.arange(2)))
    datamodule = prepared(train, test, val, notes={"files that are not images left out": 5})
    assert datamodule.notes == {
        "files that are not images left out": 5,
        "validation images also in the test set left out": 2,
        "training images also in the validation set left out": 3,
        "training images also in the test set left out": 4,
    }
    assert datamodule.sizes == {"train": 61, "val": 10, "test": 10}
    assert all(note.replace(" ", "").isalpha() for note in datamodule.notes)


def test_clean_data_has_no_notes() -> None:
    assert prepared(some(60), some(10, seed=1)).notes == {}


def test_a_fraction_is_stratified_and_leaves_the_test_set_alone() -> None:
    datamodule = prepared(some(200, classes=4), some(40, seed=1), classes=tuple("abcd"), fraction=0.5, val_fraction=0.2)
    assert datamodule.sizes == {"train": 80, "val": 20, "test": 40}
    assert torch.bincount(datamodule.images("train").labels).tolist() == [20] * 4
    whole = prepared(some(200, classes=4), classes=tuple("abcd"), val_fraction=0)
    half = prepared(some(200, classes=4), classes=tuple("abcd"), fraction=0.5, val_fraction=0)
    assert content(half.images("test")) == content(whole.images("test"))
    assert content(half.images("train")) < content(whole.images("train"))


def test_no_validation_trains_on_all() -> None:
    datamodule = prepared(some(50), some(10, seed=1), val_fraction=0)
    assert datamodule.sizes == {"train": 50, "test": 10}
    assert not datamodule.has_validation
    assert datamodule.val_dataloader() == []


def test_a_validation_set_of_its_own_is_used() -> None:
    datamodule = prepared(some(50), some(10, seed=1), some(12, seed=2), val_fraction=0.4)
    assert datamodule.sizes == {"train": 50, "val": 12, "test": 10}


def test_groups_part_in_no_split() -> None:
    images = some(120)
    groups = tuple(f"patient {i // 6}" for i in range(120))
    datamodule = prepared(ImageSet(images.images, images.labels, groups), test_fraction=0.2, val_fraction=0.2)
    found = [set(datamodule.images(name).groups or ()) for name in ("train", "val", "test")]
    assert sum(len(part) for part in found) == 20 == len(set.union(*found))
    assert min(len(part) for part in found) >= 2


def grouped(images: ImageSet, groups: list[str]) -> ImageSet:
    return ImageSet(images.images, images.labels, tuple(groups))


def test_a_group_goes_with_its_image_that_is_in_the_test_set() -> None:
    train = grouped(some(60), [f"patient {i // 3}" for i in range(60)])
    test = join(some(10, seed=1), train.subset(torch.tensor([0, 1, 30])))
    datamodule = prepared(train, test, val_fraction=0.2)
    assert datamodule.notes == {
        "training images also in the test set left out": 3,
        "training images of a group in the test set left out": 3,
    }
    kept = {*(datamodule.images("train").groups or ()), *(datamodule.images("val").groups or ())}
    assert kept == {f"patient {i}" for i in range(20)} - {"patient 0", "patient 10"}
    assert datamodule.sizes["train"] + datamodule.sizes["val"] == 54


def test_a_group_of_the_validation_set_is_on_no_other_side() -> None:
    train = grouped(some(60), [f"patient {i // 3}" for i in range(60)])
    val = grouped(some(8, seed=1), ["patient 1"] * 4 + ["patient 99"] * 4)
    test = grouped(some(8, seed=2), ["patient 99"] + ["patient 98"] * 7)
    datamodule = prepared(train, test, val)
    assert datamodule.notes == {
        "validation images of a group in the test set left out": 4,
        "training images of a group in the validation set left out": 3,
    }
    found = [set(datamodule.images(name).groups or ()) for name in ("train", "val", "test")]
    assert sum(map(len, found)) == len(set.union(*found))


@pytest.mark.parametrize("own_test", [False, True])
def test_a_class_in_a_single_group_cannot_be_split(own_test: bool) -> None:
    images = some(40)
    train = grouped(images, [f"patient {i}" if i % 2 else "patient 0" for i in range(40)])
    test = some(10, seed=1) if own_test else None
    sides, alternative = ("validation", "a validation set") if own_test else ("the test", "a test set")
    with pytest.raises(UserError) as caught:
        prepared(train, test, val_fraction=0.2)
    assert str(caught.value) == (
        f"data: expected images of class 'cat' in several groups, some to train on and some for {sides}, found all 20 "
        f"of them in patient 0; add images of other groups, or bring {alternative}"
    )
    # nothing has to be split
    datamodule = prepared(train, some(10, seed=1), val_fraction=0)
    assert datamodule.sizes == {"train": 40, "test": 10}


def test_groups_that_share_images_are_one() -> None:
    images = some(12)
    images.images[2] = images.images[0]
    train = grouped(images, ["a", "1", "b", "2", "b", "3", "a", "4", "b", "5", "a", "6"])
    with pytest.raises(UserError, match=r"found all 6 of them in a and b, which share images; add"):
        prepared(train, some(10, seed=1))


def test_a_single_image_of_a_class_is_no_mistake() -> None:
    images = ImageSet(some(21).images, torch.tensor([1] * 20 + [0]))
    datamodule = prepared(grouped(images, [f"patient {i // 2}" for i in range(21)]), some(10, seed=1), val_fraction=0.2)
    assert sum(datamodule.sizes.values()) == 31


def test_each_image_is_validated_on_in_one_fold() -> None:
    base = some(90)
    train = join(base, base.subset(torch.arange(10)))  # with copies
    test = some(20, seed=1)
    seen: list[set[bytes]] = []
    for fold in range(4):
        datamodule = prepared(train, test, folds=4, fold=fold)
        val, rest = content(datamodule.images("val")), content(datamodule.images("train"))
        assert val.isdisjoint(rest)
        assert val | rest == content(train)
        assert torch.equal(datamodule.images("test").images, test.images)
        assert datamodule.sizes["train"] + datamodule.sizes["val"] == 100
        seen.append(val)
    assert sum(map(len, seen)) == 90 == len(set.union(*seen))
    other = prepared(train, test, folds=4, fold=0, split_seed=1)
    assert content(other.images("val")) != seen[0]


def test_folds_take_the_place_of_the_validation_fraction_and_leave_the_test_set_alone() -> None:
    tests = [content(prepared(some(100), folds=5, fold=fold, val_fraction=0).images("test")) for fold in range(2)]
    assert tests[0] == tests[1] == content(prepared(some(100)).images("test"))
    assert prepared(some(100), folds=5, fold=1, val_fraction=0).sizes == {"train": 64, "val": 16, "test": 20}


def test_folds_of_a_fraction_are_cut_from_it() -> None:
    datamodule = prepared(some(200), some(10, seed=1), fraction=0.5, folds=4, fold=3)
    assert datamodule.sizes == {"train": 75, "val": 25, "test": 10}


def test_folds_of_data_with_a_validation_set_of_its_own_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        prepared(some(50), some(10, seed=1), some(12, seed=2), folds=5)
    assert str(caught.value) == (
        "data.folds: expected none, as digits has a validation set of its own; put its images among those to train on"
    )


def test_more_folds_than_images_are_refused() -> None:
    with pytest.raises(UserError, match=r"data\.folds: expected at most 6, .* different images, given 7"):
        prepared(some(6), some(10, seed=1), folds=7, fold=6)


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        (2, None, "no image is left for val after the splits; data.val_fraction=0 trains without"),
        (10, 0, "no image is left for val after the splits$"),
        (0, None, "no image is left for train after the splits"),
    ],
)
def test_an_empty_split_is_a_mistake(train: int, val: int | None, message: str) -> None:
    with pytest.raises(UserError, match=f"^data digits: {message}"):
        prepared(some(train), some(4, seed=1), None if val is None else some(val, seed=2))


def test_mean_and_std_are_those_of_the_training_pixels() -> None:
    datamodule = prepared(some(600), some(5, seed=1), val_fraction=0.1)
    values: Tensor = datamodule.images("train").images.double() / 255
    torch.testing.assert_close(datamodule.mean.double(), values.mean(dim=(0, 2, 3)), atol=1e-6, rtol=0)
    torch.testing.assert_close(datamodule.std.double(), values.std(dim=(0, 2, 3), correction=0), atol=1e-6, rtol=0)
    batches = [batch.images for batch in datamodule.evaluation_loader("train", 100)]
    normalised = torch.cat(batches)
    torch.testing.assert_close(normalised.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_one_colour_has_something_to_divide_by() -> None:
    images = ImageSet(torch.full((8, 1, 4, 4), 7, dtype=torch.uint8), torch.arange(8) % 2)
    datamodule = prepared(images, some(4, seed=1), val_fraction=0)
    assert datamodule.mean.item() == pytest.approx(7 / 255)
    assert datamodule.std.item() == pytest.approx(1 / 255)


def test_given_statistics_are_kept() -> None:
    datamodule = prepared(some(20), some(4, seed=1), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    torch.testing.assert_close(datamodule.mean, torch.tensor([0.1, 0.2, 0.3]))
    torch.testing.assert_close(datamodule.std, torch.tensor([0.4, 0.5, 0.6]))


def test_the_fingerprint_is_of_the_data_and_not_of_the_splits() -> None:
    train, test = some(40), some(10, seed=1)
    reference = prepared(train, test).fingerprint
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert prepared(train.subset(order), test, split_seed=4, val_fraction=0.3, seed=2).fingerprint == reference
    assert prepared(train, test, some(4, seed=2)).fingerprint != reference
    moved = prepared(train.subset(torch.arange(39)), join(test, train.subset(torch.tensor([39]))))
    assert moved.fingerprint != reference


def test_setup_reads_once() -> None:
    datamodule = prepared(some(40), some(10, seed=1))
    datamodule.setup("fit")
    datamodule.setup("test")
    assert datamodule.reads == 1


def test_each_process_gets_its_share_of_every_loader() -> None:
    seen: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for rank in range(2):
        datamodule = prepared(some(45), some(11, seed=1), val_fraction=0.2, batch_size=36, eval_batch_size=4)
        datamodule.place(torch.device("cpu"), rank, 2, channels_last=True)
        loaders = {"train": datamodule.train_dataloader(), "val": datamodule.val_dataloader()}
        for name, loader in (loaders | {"test": datamodule.test_dataloader()}).items():
            for batch in loader:
                seen[name] += batch.indices.tolist()
                assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert sorted(seen["train"]) == list(range(36))
    assert sorted(seen["val"]) == list(range(9))
    assert sorted(seen["test"]) == list(range(11))


def test_only_training_is_shuffled() -> None:
    datamodule = prepared(some(40), some(10, seed=1), seed=3)
    assert datamodule.train_dataloader().order().tolist() != list(range(36))
    assert datamodule.test_dataloader().order().tolist() == list(range(10))
    other = prepared(some(40), some(10, seed=1), seed=4)
    assert datamodule.train_dataloader().order().tolist() != other.train_dataloader().order().tolist()


@pytest.mark.parametrize("folds", [None, 5])
def test_imbalance_is_of_the_training_images_alone(folds: int | None) -> None:
    settings = {"classes": tuple("abcd"), "val_fraction": 0.2, "folds": folds, "test_fraction": 0.25}
    whole = prepared(some(400, classes=4), **settings)
    tailed = prepared(some(400, classes=4), imbalance=8, **settings)
    assert tailed.class_counts.tolist() == [60, 30, 15, 8]
    assert content(tailed.images("train")) < content(whole.images("train"))
    for name in ("val", "test"):
        assert torch.equal(tailed.images(name).images, whole.images(name).images)
        assert tailed.images(name).labels.bincount().unique().numel() == 1
    assert tailed.fingerprint == whole.fingerprint
    assert tailed.notes == {
        "training images left out to make classes unequal": 127,
        "training images of the first class": 60,
        "training images of the last class": 8,
    }
    assert all(note.replace(" ", "").isalpha() for note in tailed.notes)
    other = prepared(some(400, classes=4), imbalance=8, split_seed=1, **settings | {"val_fraction": 0, "folds": None})
    again = prepared(some(400, classes=4), imbalance=8, split_seed=2, **settings | {"val_fraction": 0, "folds": None})
    assert content(other.images("train")) != content(again.images("train"))


def test_the_balanced_sampler_is_for_training_alone() -> None:
    datamodule = prepared(some(40), some(10, seed=1), sampler="balanced", val_fraction=0)
    draw = datamodule.train_dataloader().order()
    assert len(draw) == 40
    assert len(draw.unique()) < 40
    assert datamodule.evaluation_loader("train", 7).order().tolist() == list(range(40))
    assert datamodule.test_dataloader().order().tolist() == list(range(10))


def test_one_batch_is_trained_and_validated_on() -> None:
    datamodule = prepared(some(40), some(10, seed=1), batch_size=8)
    datamodule.keep_one_batch()
    assert datamodule.sizes == {"train": 8, "val": 8, "test": 10}
    assert torch.equal(datamodule.images("train").images, datamodule.images("val").images)


def mapped(images: ImageSet, file: Path) -> ImageSet:
    np.save(file, np.asarray(images.images))
    return ImageSet(MappedImages(np.load(file, mmap_mode="r")), images.labels)


@pytest.mark.parametrize(("left", "processes", "stays"), [(15_359, 1, True), (15_361, 1, False), (30_719, 2, True)])
def test_images_stay_in_their_file_where_they_would_fill_half_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, processes: int, stays: bool
) -> None:
    monkeypatch.setattr(in_file, "available_memory", lambda: left)
    part = mapped(some(200), tmp_path / "train.npy")
    datamodule = prepared(part, mapped(some(10, seed=1), tmp_path / "test.npy"), val_fraction=0.2)
    for name in datamodule.sizes:
        assert isinstance(datamodule.images(name).images, MappedImages)
    datamodule.place(torch.device("cpu"), 0, processes, channels_last=False)
    # 160 images of 48 bytes to train on, and 10 to test on
    assert isinstance(datamodule.images("train").images, MappedImages) == stays
    assert isinstance(datamodule.images("test").images, Tensor)


@pytest.mark.parametrize(("left", "stays"), [(15_000, True), (16_000, False)])
def test_images_stay_in_their_file_where_they_would_fill_half_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, stays: bool
) -> None:
    monkeypatch.setattr(in_file, "available_memory", lambda: 0)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (left - 600, 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 1000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 400)
    moved: list[int] = []
    monkeypatch.setattr(ImageSet, "to", lambda self, device: moved.append(len(self)) or self)
    datamodule = prepared(mapped(some(200), tmp_path / "train.npy"), some(10, seed=1), val_fraction=0.2)
    datamodule.place(torch.device("cuda", 0), 0, 8, channels_last=False)
    # 160 images of 48 bytes to train on; each of the processes has a GPU of its own
    assert (160 in moved) != stays
    assert {10, 40} <= set(moved)


@pytest.mark.parametrize("left", [0, 2**40])
def test_where_the_images_are_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
    monkeypatch.setattr(in_file, "available_memory", lambda: left)
    settings: dict[str, Any] = {
        "val_fraction": 0.2,
        "batch_size": 12,
        "eval_batch_size": 7,
        "augment": {"crop_scale": (0.5, 1.0), "flip": "alternating", "mixup": 0.3},
    }
    expected = prepared(some(90), some(20, seed=1), **settings)
    train, test = mapped(some(90), tmp_path / "train.npy"), mapped(some(20, seed=1), tmp_path / "test.npy")
    found = prepared(train, test, **settings)
    for datamodule in (expected, found):
        datamodule.place(torch.device("cpu"), 0, 1, channels_last=True)
    assert isinstance(found.images("train").images, MappedImages) == (left == 0)
    assert found.fingerprint == expected.fingerprint
    assert found.sizes == expected.sizes
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.std, expected.std)
    assert torch.equal(found.pixels("test", [3, 1]), expected.pixels("test", [3, 1]))
    for name in ("train", "val", "test"):
        pairs = zip(*(getattr(one, f"{name}_dataloader")() for one in (found, expected)), strict=True)
        for ours, theirs in pairs:
            assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_run_goes_on_in_the_middle_of_an_epoch_of_mapped_images(tmp_path: Path) -> None:
    datamodule = prepared(mapped(some(90), tmp_path / "train.npy"), some(10, seed=1), batch_size=10)
    whole = [batch.images for batch in datamodule.train_dataloader()]
    loader = datamodule.train_dataloader()
    loader.load_state_dict({"done": 5})
    assert all(torch.equal(a.images, b) for a, b in zip(loader, whole[5:], strict=True))
    assert loader.state_dict() == {"done": 8}


def test_one_batch_of_mapped_images_is_kept(tmp_path: Path) -> None:
    datamodule = prepared(mapped(some(90), tmp_path / "train.npy"), some(10, seed=1), batch_size=10)
    datamodule.keep_one_batch()
    assert datamodule.sizes == {"train": 10, "val": 10, "test": 10}


def test_where_the_images_come_from_is_kept() -> None:
    assert prepared(some(40), some(10, seed=1)).origin == {}
    assert prepared(some(40), some(10, seed=1), origin={"manifest": "ab12"}).origin == {"manifest": "ab12"}


def test_larger_images_are_seen_in_part() -> None:
    datamodule = prepared(some(40), some(10, seed=1), side=3)
    assert datamodule.image_shape == (3, 3, 3)
    assert {batch.images.shape for batch in datamodule.val_dataloader()} == {(4, 3, 3, 3)}
    assert {batch.images.shape for batch in datamodule.train_dataloader()} == {(36, 3, 3, 3)}
    assert torch.equal(datamodule.pixels("test", [4]), datamodule.images("test").images[[4], :, :3, :3])


def test_the_positive_class() -> None:
    assert prepared(some(40), some(10, seed=1)).positive == 1
    assert prepared(some(40), some(10, seed=1), positive_class="cat").positive == 0
    assert prepared(some(60, classes=3), some(9, seed=1, classes=3), classes=tuple("abc")).positive is None


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("cat", "dog"), r"expected one of the two classes \(cat, dog\), given 'bird'"),
        (("a", "b", "c"), r"expected no value, as there are not two classes \(a, b, c\), given 'bird'"),
    ],
)
def test_a_positive_class_that_is_none_is_a_mistake(classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=rf"data\.positive_class: {message}"):
        prepared(some(40), some(10, seed=1), classes=classes, positive_class="bird")
