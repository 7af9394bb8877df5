from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.gather.pictures import encoded, picture
from visionlab.data import leaks
from visionlab.data.decode import decode
from visionlab.data.leaks import check_leaks
from visionlab.errors import UserError

TRAINING, HELD_OUT = ("train/1.png", "train/2.png", "train/3.png"), ("test/4.png", "test/5.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three pictures to train on and two others."""
    root = tmp_path / "pictures"
    for path in (*TRAINING, *HELD_OUT):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture(int(Path(path).stem), (80, 60)).save(root / path)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def test_pictures_that_are_apart_pass_and_are_not_looked_at_again(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    monkeypatch.setattr(leaks, "inspect_all", None)
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    for training, held_out, identity in (
        (TRAINING, HELD_OUT, "another"),
        (TRAINING[:2], (TRAINING[2], *HELD_OUT), "one"),
    ):
        with pytest.raises(TypeError):
            check_leaks(root, training, held_out, identity, cache)


def test_another_rule_looks_again(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    monkeypatch.setattr(leaks, "VERSION", leaks.VERSION + 1)
    monkeypatch.setattr(leaks, "inspect_all", None)
    with pytest.raises(TypeError):
        check_leaks(root, TRAINING, HELD_OUT, "one", cache)


@pytest.mark.parametrize("form", ["same", "smaller", "mirrored"])
def test_a_copy_is_named_with_what_it_shows(root: Path, cache: Path, form: str) -> None:
    copy = picture(5, (80, 60))
    copy = {"same": copy, "smaller": copy.resize((60, 45)), "mirrored": ImageOps.mirror(copy)}[form]
    copy.save(root / "train/2.png")
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 training images show .*: train/2\.png \(test/5\.png\); remove"):
            check_leaks(root, TRAINING, HELD_OUT, "one", cache)


def stored(image: Image.Image, form: str) -> bytes:
    """A picture in a form that gathering would not keep, though it can be decoded."""
    moving = {"save_all": True, "append_images": [picture(7, image.size)], "duration": 80}
    if form in ("GIF", "WEBP"):
        return encoded(image, form, **moving)
    if form == "cut JPEG":
        data = encoded(image)
        return data[: len(data) * 9 // 10] + b"\xff\xd9"
    if form == "PNG without end":
        return encoded(image, "PNG")[:-12]
    if form == "PNG with a wrong checksum":
        data = encoded(image, "PNG")
        return data[:-16] + bytes(4) + data[-12:]
    return encoded(image, form)


@pytest.mark.parametrize(
    "form",
    ["GIF", "WEBP", "cut JPEG", "PNG without end", "PNG with a wrong checksum", "PPM", "JPEG2000", "TGA", "ICO"],
)
@pytest.mark.parametrize("side", ["train/2.png", "test/5.png"])
def test_a_copy_is_found_in_every_form_that_can_be_trained_on(root: Path, cache: Path, form: str, side: str) -> None:
    (root / "train/2.png").write_bytes((root / "test/5.png").read_bytes())
    (root / side).write_bytes(stored(picture(5, (80, 60)), form))
    decode(root / side, 16, "rgb")  # it would be used
    with pytest.raises(UserError, match=r"1 training images show .*: train/2\.png \(test/5\.png\); remove"):
        check_leaks(root, TRAINING, HELD_OUT, "one", cache)


def test_a_grey_copy_is_found(root: Path, cache: Path) -> None:
    picture(5, (80, 60)).convert("L").save(root / "train/2.png")
    with pytest.raises(UserError, match=r"train/2\.png \(test/5\.png\)"):
        check_leaks(root, TRAINING, HELD_OUT, "one", cache)


def test_of_pictures_without_content_those_with_the_same_pixels_are_copies(root: Path, cache: Path) -> None:
    Image.new("RGB", (80, 60), "white").save(root / "train/1.png")
    Image.new("RGB", (64, 48), "white").save(root / "test/4.png")
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    Image.new("RGB", (80, 60), "white").save(root / "test/4.png")
    with pytest.raises(UserError, match=r"train/1\.png \(test/4\.png\)"):
        check_leaks(root, TRAINING, HELD_OUT, "two", cache)


def test_what_cannot_be_compared_is_not_used(root: Path, cache: Path) -> None:
    (root / "train/2.png").write_text("no image")
    for _ in range(2):
        with pytest.raises(UserError, match=r"1 images cannot be compared .*: train/2\.png \(not an image\); remove"):
            check_leaks(root, TRAINING, HELD_OUT, "one", cache)


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a cache that another user owns: tests may be run by root, whom nothing is forbidden."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "leaks.lock")

    monkeypatch.setattr(leaks.FileLock, "acquire", refuse)


def test_a_cache_that_cannot_be_written_is_enough_where_all_is_known(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    forbid(monkeypatch)
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    with pytest.raises(UserError, match=r"cannot be compared .*cache: .*Permission denied.*; VISIONLAB_DATA names"):
        check_leaks(root, TRAINING, HELD_OUT, "another", cache)


def test_a_file_that_vanished_is_told(root: Path, cache: Path) -> None:
    (root / "test/5.png").unlink()
    with pytest.raises(UserError, match=r"cannot be compared .*No such file"):
        check_leaks(root, TRAINING, HELD_OUT, "one", cache)


def test_a_damaged_mark_looks_again(root: Path, cache: Path) -> None:
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    (mark,) = cache.glob("*.checked")
    state = mark.read_bytes()
    mark.write_bytes(b"\xff" + state[1:])
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
    assert mark.read_bytes() == state
