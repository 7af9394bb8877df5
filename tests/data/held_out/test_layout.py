"""What the path of an image says of it."""

from __future__ import annotations

import pytest

from visionlab.data.held_out.layout import Entry, danger, is_image, label_of
from visionlab.errors import UserError


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("cat.0.jpg", "cat"),
        ("train/dog.12499.jpg", "dog"),
        ("a/b/train/Cat.7.JPG", "cat"),
        ("PetImages/Cat/0.jpg", "cat"),
        ("PetImages\\Dog\\0.jpg", "dog"),
        ("dog/any name (1).png", "dog"),
        ("cat/cat.3.jpg", "cat"),
        ("test1/1.jpg", None),
        ("cat.jpg", None),
        ("catalogue/1.jpg", None),
        ("wildcat.3.jpg", None),
        ("cat/deeper/1.jpg", None),
    ],
)
def test_label(path: str, label: str | None) -> None:
    assert is_image(path)
    assert label_of(path) == label


def test_a_label_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(UserError, match=r"dog/cat.3.jpg: expected one class, given dog by its folder and cat by"):
        label_of("dog/cat.3.jpg")


@pytest.mark.parametrize("path", ["", "/", "Cat/", "Cat/Thumbs.db", "__MACOSX/Cat/._0.jpg", "cat/.jpg", "cat.0"])
def test_not_an_image(path: str) -> None:
    assert not is_image(path)


@pytest.mark.parametrize(
    "path",
    ["/cat/0.jpg", "\\cat\\0.jpg", "C:\\cat\\0.jpg", "c:/cat/0.jpg", "../cat/0.jpg", "a/../../cat/0.jpg",
     "..\\cat\\0.jpg", "cat/\x1b[2J.jpg", "cat/a\nb.jpg"],
)  # fmt: skip
def test_dangerous_paths(path: str) -> None:
    assert danger(path)


@pytest.mark.parametrize("path", ["cat/0.jpg", "PetImages\\Cat\\0.jpg", "cat/..0.jpg", "cat/Mäuschen.jpg"])
def test_harmless_paths(path: str) -> None:
    assert danger(path) is None


def test_the_target_never_leaves_its_class_folder() -> None:
    assert Entry("PetImages\\Cat\\0.jpg", "cat", 1).target == "cat/0.jpg"
    assert Entry("../../cat/0.jpg", "cat", 1).target == "cat/0.jpg"
