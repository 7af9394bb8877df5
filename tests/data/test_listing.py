from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from visionlab.data.listing import list_images
from visionlab.errors import UserError


def touch(root: Path, *names: str) -> Path:
    """Empty files: a listing does not open images."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def found(root: Path) -> dict[str, tuple[str, str]]:
    return {file.path: (file.label, file.split) for file in list_images(root).files}


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("training", "valid", "testing"), ("Train", "Validation", "TEST")],
)
def test_split_folders_hold_a_folder_for_each_class(tmp_path: Path, train: str, val: str, test: str) -> None:
    touch(tmp_path, f"{train}/cat/1.png", f"{train}/dog/2.png", f"{val}/dog/3.png", f"{test}/cat/4.png")
    assert found(tmp_path) == {
        f"{train}/cat/1.png": ("cat", "train"),
        f"{train}/dog/2.png": ("dog", "train"),
        f"{val}/dog/3.png": ("dog", "val"),
        f"{test}/cat/4.png": ("cat", "test"),
    }
    assert list_images(tmp_path).classes == ("cat", "dog")


def test_class_folders_in_the_root_are_all_training(tmp_path: Path) -> None:
    touch(tmp_path, "oak/a.JPG", "oak/old/deeper/b.Tiff", "elm/c.webp")
    assert found(tmp_path) == {
        "elm/c.webp": ("elm", "train"),
        "oak/a.JPG": ("oak", "train"),
        "oak/old/deeper/b.Tiff": ("oak", "train"),
    }


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, "car/1.png", "train/2.png", "bus/3.png")
    assert list_images(tmp_path).classes == ("bus", "car", "train")


def test_a_table_goes_before_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png")
    (tmp_path / "labels.csv").write_text("file,label\ntrain/dog/2.png,wolf\ntrain/cat/1.png,lynx\n")
    assert found(tmp_path) == {"train/cat/1.png": ("lynx", "train"), "train/dog/2.png": ("wolf", "train")}
    assert [file.path for file in list_images(tmp_path).files] == ["train/cat/1.png", "train/dog/2.png"]


def test_numbers_are_classes_in_their_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/1.png" for name in ("10", "9", "other", "2")))
    assert list_images(tmp_path).classes == ("2", "9", "10", "other")


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "train/cat/1.png", "train/dog/2.png", "train/loose.png", "labels.txt", "raw/3.png")
    touch(tmp_path, "train/cat/Thumbs.db", "train/cat/.DS_Store", "train/cat/._1.png", "train/cat/notes.txt")
    touch(tmp_path, "train/cat/.ipynb_checkpoints/1-checkpoint.png", ".git/4.png", "train/bird/readme.md")
    listing = list_images(tmp_path)
    assert [file.path for file in listing.files] == ["train/cat/1.png", "train/dog/2.png"]
    assert listing.notes == {
        "files that are not images left out": 6,
        "images outside class folders left out": 1,
        "class folders without images left out": 1,
        "folders beside train left out": 1,
    }
    # MLflow takes letters, digits and a few signs in the names of tags, no commas
    assert all(note.replace(" ", "").isalpha() for note in listing.notes)


def test_what_belongs_there_is_left_out_without_a_note(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "train/cat/1.jpg",
        "train/dog/2.jpg",
        "test/cat/3.jpg",
        "test/SOURCE.json",
        "list.csv",
        "old/cat/4.jpg",
    )
    assert sum(list_images(tmp_path).notes.values()) == 3
    listing = list_images(tmp_path, ("SOURCE.json", "list.csv", "old"))
    assert listing.notes == {}
    assert [file.path for file in listing.files] == ["test/cat/3.jpg", "train/cat/1.jpg", "train/dog/2.jpg"]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/cats/1.png", "data/dog/2.png")
    (tmp_path / "data/cat").symlink_to(tmp_path / "elsewhere/cats")
    (tmp_path / "data/dog/again").symlink_to(tmp_path / "data/dog")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    assert found(tmp_path / "link") == {"cat/1.png": ("cat", "train"), "dog/2.png": ("dog", "train")}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no images in"),
        (["cat/notes.txt"], "no images in"),
        (["1.png", "2.png"], "no images in .* expected a folder for each class"),
        (["cat/1.png"], "expected at least two classes in .*, found only 'cat'"),
        (["train/cat/1.png", "val/dog/2.png"], "class 'dog' of val/dog/2.png does not occur in training: cat"),
        (["train/1.png", "test/2.png"], "train holds no class folders"),
        (["val/cat/1.png", "test/dog/2.png"], "there is no .*train"),
        (["train/a/1.png", "val/a/1.png", "valid/a/1.png"], "expected one folder for val in .*, found val and valid"),
    ],
)
def test_a_folder_without_a_data_set_is_explained(tmp_path: Path, names: list[str], message: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(UserError, match=message) as caught:
        list_images(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_root_and_a_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a folder with images, found nothing there: .*nowhere"):
        list_images(tmp_path / "nowhere")
    touch(tmp_path, "leaves.zip")
    with pytest.raises(UserError, match=r"found a file: .*leaves.zip"):
        list_images(tmp_path / "leaves.zip")


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "cat/1.png", "dog/2.png")
    scandir = os.scandir

    # permissions would not stop root, whom containers run tests as
    def forbidding(path: Any) -> Any:
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    with pytest.raises(UserError, match=r"dog cannot be read: Permission denied"):
        list_images(tmp_path)
