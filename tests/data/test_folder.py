from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from torch import Tensor

from visionlab.config.data import FolderConfig
from visionlab.data import decode_cache
from visionlab.data.folder import Folder
from visionlab.errors import UserError


def paint(file: Path, seed: int, size: tuple[int, int] = (12, 9)) -> None:
    """A picture of its own for each seed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """20 cats and 20 dogs, of several kinds and sizes."""
    root = tmp_path / "pets"
    for number in range(40):
        suffix = ("png", "bmp", "tif", "jpg")[number % 4]
        paint(root / ("cat", "dog")[number // 20] / f"{number}.{suffix}", number, (9 + number % 5, 8 + number % 7))
    return root


def prepared(root: Path, **settings: Any) -> Folder:
    datamodule = Folder(FolderConfig(root=str(root), **({"image_size": 8} | settings)))
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


def pixels(datamodule: Folder, name: str) -> Tensor:
    """All images of a split, (N, C, H, W)."""
    images: Tensor = datamodule.images(name).images.to(torch.device("cpu"))
    return images


def test_class_folders_become_a_data_set(root: Path) -> None:
    datamodule = prepared(root, test_fraction=0.2, val_fraction=0.25)
    assert datamodule.sizes == {"train": 24, "val": 8, "test": 8}
    assert datamodule.classes == ("cat", "dog")
    assert datamodule.image_shape == (3, 8, 8)
    assert all(torch.bincount(datamodule.images(name).labels).unique().numel() == 1 for name in datamodule.sizes)
    values = pixels(datamodule, "train").double() / 255
    torch.testing.assert_close(datamodule.mean.double(), values.mean(dim=(0, 2, 3)), atol=1e-6, rtol=0)
    (batch,) = list(datamodule.evaluation_loader("train", 100))
    assert batch.images.shape == (24, 3, 8, 8)


def test_grey_has_one_channel(root: Path) -> None:
    datamodule = prepared(root, color="grey", image_size=16)
    assert datamodule.image_shape == (1, 16, 16)
    assert datamodule.mean.shape == datamodule.std.shape == (1,)


def test_split_folders_are_kept(tmp_path: Path) -> None:
    for number in range(12):
        split = ("train", "train", "valid", "test")[number % 4]
        paint(tmp_path / split / ("cat", "dog")[number // 6] / f"{number}.png", number)
    datamodule = prepared(tmp_path)
    assert datamodule.sizes == {"train": 6, "val": 3, "test": 3}
    again = prepared(tmp_path, split_seed=7)
    assert torch.equal(pixels(again, "test"), pixels(datamodule, "test"))


def test_pixels_and_labels_go_where_their_file_says(tmp_path: Path) -> None:
    for number in range(12):
        split = ("train", "train", "val", "test")[number % 4]
        (tmp_path / split / f"class {number % 3}").mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9), 20 * number).save(tmp_path / split / f"class {number % 3}" / f"{12 - number}.png")
    datamodule = prepared(tmp_path, color="grey")
    for name, numbers in {"train": (0, 1, 4, 5, 8, 9), "val": (2, 6, 10), "test": (3, 7, 11)}.items():
        levels, labels = pixels(datamodule, name)[:, 0, 0, 0], datamodule.images(name).labels
        pairs = zip(levels.tolist(), labels.tolist(), strict=True)
        assert sorted(pairs) == [(20 * number, number % 3) for number in numbers]


def test_a_table_brings_labels_groups_and_splits(root: Path) -> None:
    files = sorted(file.relative_to(root).as_posix() for file in root.rglob("*.*"))
    lines = [f"{file};{'sleeps' if i % 2 else 'wakes'};owner {i // 4}" for i, file in enumerate(files)]
    (root / "labels.csv").write_text("\n".join(["path;class;group", *lines]))
    datamodule = prepared(root, test_fraction=0.2, val_fraction=0.2)
    assert datamodule.classes == ("sleeps", "wakes")
    owners = [set(datamodule.images(name).groups or ()) for name in ("train", "val", "test")]
    assert sum(map(len, owners)) == 10 == len(set.union(*owners))
    assert sum(datamodule.sizes.values()) == 40


def test_a_file_without_a_group_is_one_of_its_own(root: Path) -> None:
    lines = [f"cat/{i}.{('png', 'bmp', 'tif', 'jpg')[i % 4]},{'ab'[i % 2]},{'g' if i < 4 else ''}" for i in range(20)]
    (root / "labels.csv").write_text("\n".join(["file,label,group", *lines]))
    datamodule = prepared(root, val_fraction=0.2)
    groups = [group for name in datamodule.sizes for group in datamodule.images(name).groups or ()]
    assert len(groups) == 20
    assert len(set(groups)) == 17
    assert datamodule.notes == {"images without a group": 16}


def test_broken_files_are_named_and_fatal(root: Path) -> None:
    for number in (0, 4, 8, 12):
        (root / f"cat/{number}.png").write_text("broken")
    with pytest.raises(UserError) as caught:
        prepared(root)
    message = str(caught.value)
    assert message.startswith(f"{root}: 4 of 40 images cannot be read: cat/0.png (not an image of a known kind), ")
    assert message.endswith(", and 1 more; mend or remove them, or set data.on_broken=skip")
    assert "\n" not in message


def test_broken_files_are_named_and_counted_where_they_are_skipped(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "cat/0.png").write_text("broken")
    (root / "cat/readme.txt").write_text("not an image")
    datamodule = prepared(root, on_broken="skip")
    assert datamodule.notes == {"files that are not images left out": 1, "files that cannot be read left out": 1}
    assert sum(datamodule.sizes.values()) == 39
    assert (
        "1 of 40 images cannot be read: cat/0.png (not an image of a known kind); left out" in capsys.readouterr().err
    )
    whole = torch.cat([pixels(datamodule, name) for name in datamodule.sizes])
    assert whole.flatten(1).any(dim=1).all()  # no black image in the place of the broken one


def test_a_class_or_split_that_cannot_be_read_at_all_is_a_mistake(tmp_path: Path) -> None:
    for number in range(8):
        paint(tmp_path / "train" / ("cat", "dog")[number % 2] / f"{number}.png", number)
    paint(tmp_path / "test/cat/9.png", 9)
    (tmp_path / "test/cat/9.png").write_text("broken")
    with pytest.raises(UserError, match=r"no image in test can be read"):
        prepared(tmp_path, on_broken="skip")
    paint(tmp_path / "test/cat/9.png", 9)
    for file in (tmp_path / "train/dog").iterdir():
        file.write_text("broken")
    with pytest.raises(UserError, match=r"no training image of class 'dog' can be read"):
        prepared(tmp_path, on_broken="skip")


def test_skipping_after_a_failure_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "cat/0.png").write_text("broken")
    with pytest.raises(UserError):
        prepared(root)
    monkeypatch.setattr(decode_cache, "decode", None)
    assert sum(prepared(root, on_broken="skip").sizes.values()) == 39


def test_a_second_run_is_the_same_and_decodes_nothing(root: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepared(root)
    monkeypatch.setattr(decode_cache, "decode", None)
    second = prepared(root)
    assert second.fingerprint == first.fingerprint
    for name in first.sizes:
        assert torch.equal(pixels(first, name), pixels(second, name))
    assert len(list((home / "data/.cache").glob("*/pixels.npy"))) == 1


def test_the_fingerprint_is_of_pixels_and_labels_and_not_of_names(root: Path) -> None:
    before = prepared(root).fingerprint
    (root / "cat/0.png").rename(root / "cat/renamed.png")
    assert prepared(root).fingerprint == before
    (root / "cat/renamed.png").rename(root / "dog/renamed.png")
    assert prepared(root).fingerprint != before


def test_notebooks_need_no_prepare_data(root: Path) -> None:
    datamodule = Folder(FolderConfig(root=str(root), image_size=8))
    datamodule.setup()
    assert sum(datamodule.sizes.values()) == 40


def test_the_root_becomes_absolute(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert FolderConfig(root="pets").root == str(root)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FolderConfig(root="~/pets").root == str(root)
    with pytest.raises(ValidationError, match="expected a folder, given ''"):
        FolderConfig(root="")
    with pytest.raises(ValidationError, match="expected a folder, given '~nobody-of-that-name"):
        FolderConfig(root="~nobody-of-that-name/pets")


def gradient(file: Path, number: int) -> None:
    """A grey picture of 40x40 that brightens to the right and downwards, by 195 levels in all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[:40, :40]
    Image.fromarray((3 * rows + 2 * columns + number).astype(np.uint8)).save(file)


@pytest.fixture
def gradients(tmp_path: Path) -> Path:
    root = tmp_path / "gradients"
    for number in range(60):
        gradient(root / ("train", "train", "val", "test")[number % 4] / "ab"[number // 4 % 2] / f"{number}.png", number)
    return root


def plain(datamodule: Folder, batch: Tensor) -> Tensor:
    """The pixel values of a normalised batch (B, 1, H, W)."""
    return (batch * datamodule.std + datamodule.mean) * 255


def test_evaluation_sees_the_middle_of_what_is_kept(gradients: Path) -> None:
    datamodule = prepared(gradients, color="grey", image_size=32, cache_size=40, augment={"crop_scale": (0.4, 1)})
    assert datamodule.image_shape == (1, 32, 32)
    for name in ("train", "val", "test"):
        assert datamodule.images(name).images.shape[1:] == (1, 40, 40)
        kept = pixels(datamodule, name)
        (batch,) = datamodule.evaluation_loader(name, 100)
        assert batch.images.shape == (len(kept), 1, 32, 32)
        expected = kept[:, :, 4:36, 4:36]
        torch.testing.assert_close(plain(datamodule, batch.images), expected.float(), atol=1e-3, rtol=0)
        chosen = [2, 0]
        assert torch.equal(datamodule.pixels(name, chosen), expected[chosen])


def test_training_cuts_squares_at_random_out_of_what_is_kept(tmp_path: Path) -> None:
    for number in range(60):
        paint(tmp_path / ("train", "train", "val", "test")[number % 4] / "ab"[number % 2] / f"{number}.png", number)
    datamodule = prepared(tmp_path, color="grey", image_size=32, cache_size=40, batch_size=30)
    kept, corners = pixels(datamodule, "train"), set()
    for epoch in range(4):
        loader = datamodule.train_dataloader()
        loader.set_epoch(epoch)
        (batch,) = loader
        assert batch.images.shape == (30, 1, 32, 32)
        for index, crop in zip(batch.indices, plain(datamodule, batch.images).round().byte(), strict=True):
            places = [
                (y, x) for y in range(9) for x in range(9) if torch.equal(kept[index, :, y : y + 32, x : x + 32], crop)
            ]
            assert len(places) == 1
            corners.add(places[0])
    assert {y for y, _ in corners} == {x for _, x in corners} == set(range(9))


def test_random_resized_crops_are_cut_from_what_is_kept(gradients: Path) -> None:
    datamodule = prepared(
        gradients, color="grey", image_size=20, cache_size=40, batch_size=30, augment={"crop_scale": (0.9, 1.0)}
    )
    (batch,) = datamodule.train_dataloader()
    crops = plain(datamodule, batch.images)
    assert crops.shape == (30, 1, 20, 20)
    # nearly the whole picture: the levels of any square of 20 pixels in it are half as many
    spans = crops.amax(dim=(1, 2, 3)) - crops.amin(dim=(1, 2, 3))
    assert (spans > 160).all()


def test_sizes_to_keep_that_leave_nothing_to_choose_or_too_much_are_refused(root: Path) -> None:
    for size in (8, 36, 65):
        with pytest.raises(
            ValidationError, match=rf"cache_size: expected 37 to 64, .* image_size, .* given {size}; null"
        ):
            FolderConfig(root=str(root), image_size=32, cache_size=size)
    assert FolderConfig(root=str(root), image_size=32).decoded_size == 32
    assert [FolderConfig(root=str(root), image_size=32, cache_size=size).decoded_size for size in (37, 64)] == [37, 64]


def test_images_are_kept_for_each_size(gradients: Path, home: Path) -> None:
    for size in (None, 40, 50):
        prepared(gradients, image_size=32, cache_size=size)
    assert len(list((home / "data/.cache").glob("*/pixels.npy"))) == 3
