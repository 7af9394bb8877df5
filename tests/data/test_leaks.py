from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.gather.pictures import picture
from visionlab.data import leaks
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


def test_what_nothing_can_be_told_of_is_no_copy(root: Path, cache: Path) -> None:
    for path in ("train/1.png", "test/4.png"):
        Image.new("RGB", (80, 60), "white").save(root / path)
    (root / "train/2.png").write_text("no image")
    check_leaks(root, TRAINING, HELD_OUT, "one", cache)
