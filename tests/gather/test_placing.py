"""Folders are made whole or not at all, and what a person does in them is noticed."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from pathlib import Path

import pytest

from visionlab.errors import UserError
from visionlab.gather.placing import FILES, check_places, place, removed_by_hand

SHA = {letter: hashlib.sha256(letter.encode()).hexdigest() for letter in "abcd"}


def name(folder: str, letter: str) -> str:
    return f"{folder}/{SHA[letter][:12]}.jpg"


CAT, DOG, BLANK = name("train/cat", "a"), name("train/dog", "b"), name("rejected/blank/cat", "c")
WANTED = {CAT: SHA["a"], DOG: SHA["b"], BLANK: SHA["c"]}
OTHER = {name("train/cat", "c"): SHA["c"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    (root / FILES).mkdir(parents=True)
    for letter, sha256 in SHA.items():
        (root / FILES / sha256).write_text(letter)
    return root


def files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("train", "rejected")
        for path in (root / folder).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_exactly_what_is_wanted_is_placed_whatever_was_there_before(root: Path) -> None:
    place(root, WANTED)
    assert files(root) == WANTED
    place(root, OTHER)
    assert files(root) == OTHER
    assert removed_by_hand(root) == []
    assert [path.name for path in (root / ".gather").iterdir()] == ["files"]


def test_nothing_is_touched_where_all_is_as_it_is_wanted(root: Path) -> None:
    place(root, WANTED)
    before = (root / "train").stat().st_ino
    place(root, WANTED)
    assert (root / "train").stat().st_ino == before


def test_a_file_that_a_person_has_removed_is_noticed_also_in_a_copy_of_the_data_set(root: Path) -> None:
    place(root, WANTED)
    copy = root.with_name("copy")
    shutil.copytree(root, copy)
    for place_of_it in (root, copy):
        (place_of_it / CAT).unlink()
        assert removed_by_hand(place_of_it) == [CAT.removeprefix("train/")]
        place(place_of_it, OTHER)
        assert removed_by_hand(place_of_it) == []
        assert files(place_of_it) == OTHER


@pytest.mark.parametrize("mine", ["train/cat/mine.jpg", "rejected/blank/cat/mine.jpg", "train/mine.jpg"])
def test_a_file_that_was_not_placed_is_never_removed(root: Path, mine: str) -> None:
    place(root, WANTED)
    (root / mine).write_text("mine")
    with pytest.raises(UserError, match=r"mine\.jpg: was not put there by .* name it: gather\.classes\.CLASS\.folder"):
        place(root, OTHER)
    assert (root / mine).read_text() == "mine"
    assert set(files(root)) == {*WANTED, mine}


def test_an_image_that_was_edited_is_neither_lost_nor_taken_for_what_it_was(root: Path) -> None:
    place(root, WANTED)
    (root / CAT).write_text("turned")
    with pytest.raises(UserError, match="was changed since"):
        check_places(root)
    assert (root / CAT).read_text() == "turned"
    # what it was made from is as it was
    assert (root / FILES / SHA["a"]).read_text() == "a"


def test_a_link_to_another_disk_is_answered_with_a_line(root: Path) -> None:
    place(root, WANTED)
    elsewhere = root.with_name("elsewhere")
    (root / "train").rename(elsewhere)
    (root / "train").symlink_to(elsewhere)
    with pytest.raises(UserError, match="train: expected a folder, found a link"):
        place(root, OTHER)
    assert len(list(elsewhere.rglob("*.jpg"))) == 2


def test_a_torn_record_of_what_was_placed_accuses_nobody(root: Path) -> None:
    place(root, WANTED)
    (root / "train" / ".placed").write_text('{"train/ca')
    assert removed_by_hand(root) == []
    place(root, OTHER)
    assert files(root) == OTHER


@pytest.mark.parametrize("call", ["rename", "copy2", "write_text"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_kill_at_any_step_loses_nothing_and_accuses_nobody(root: Path, call: str, nth: int) -> None:
    place(root, WANTED)
    wanted = {CAT: SHA["a"], name("train/dog", "d"): SHA["d"], name("rejected/blank/cat", "b"): SHA["b"]}
    if os.fork() == 0:
        module = shutil if call == "copy2" else Path
        original, calls = getattr(module, call), iter(range(1, 1000))

        def killed(*arguments: object) -> object:
            if next(calls) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        setattr(module, call, killed)
        place(root, wanted)
        os._exit(0)
    os.wait()
    for folder in ("train", "rejected"):
        there = {path: sha for path, sha in files(root).items() if path.startswith(folder)}
        whole = [{path: sha for path, sha in each.items() if path.startswith(folder)} for each in (WANTED, wanted, {})]
        assert there in whole
    assert removed_by_hand(root) == []
    place(root, wanted)
    assert files(root) == wanted
    assert removed_by_hand(root) == []
