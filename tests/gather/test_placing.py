"""Folders are made whole or not at all, and what a person does in them is noticed."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from visionlab.errors import UserError
from visionlab.gather.placing import FILES, place, removed_by_hand

WANTED = {"train/cat/a.jpg": "a", "train/dog/b.jpg": "b", "rejected/blank/cat/c.jpg": "c"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / FILES).mkdir(parents=True)
    for name in "abcd":
        (tmp_path / FILES / name).write_text(name)
    return tmp_path


def files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for name in ("train", "rejected")
        for path in (root / name).rglob("*")
        if path.is_file()
    }


def test_exactly_what_is_wanted_is_placed_whatever_was_there_before(root: Path) -> None:
    place(root, WANTED)
    assert files(root) == WANTED
    place(root, {"train/cat/c.jpg": "c"})
    assert files(root) == {"train/cat/c.jpg": "c"}
    assert removed_by_hand(root) == []
    assert sorted(path.name for path in (root / ".gather").iterdir()) == ["files", "placed.json"]


def test_nothing_is_touched_where_all_is_as_it_is_wanted(root: Path) -> None:
    place(root, WANTED)
    before = (root / "train").stat().st_ino
    place(root, WANTED)
    assert (root / "train").stat().st_ino == before


def test_a_file_that_a_person_has_removed_is_noticed(root: Path) -> None:
    place(root, WANTED)
    (root / "train/cat/a.jpg").unlink()
    assert removed_by_hand(root) == ["cat/a.jpg"]
    place(root, {name: sha for name, sha in WANTED.items() if name != "train/cat/a.jpg"})
    assert removed_by_hand(root) == []


@pytest.mark.parametrize("name", ["train/cat/mine.jpg", "rejected/blank/cat/mine.jpg", "train/mine.jpg"])
def test_a_file_that_was_not_placed_is_never_removed(root: Path, name: str) -> None:
    place(root, WANTED)
    (root / name).write_text("mine")
    with pytest.raises(UserError, match=r"mine\.jpg: was not put there by .*name it: gather\.classes\.CLASS\.folder"):
        place(root, {"train/cat/d.jpg": "d"})
    assert (root / name).read_text() == "mine"


def test_a_copy_of_the_whole_data_set_is_gone_on_with(root: Path, tmp_path: Path) -> None:
    place(root, WANTED)
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("copy"))
    place(copy, {"train/cat/d.jpg": "d"})
    assert files(copy) == {"train/cat/d.jpg": "d"}


@pytest.mark.parametrize("call", ["rename", "link", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_kill_at_any_step_loses_nothing_and_accuses_nobody(root: Path, call: str, nth: int) -> None:
    place(root, WANTED)
    wanted = {"train/cat/a.jpg": "a", "train/dog/d.jpg": "d", "rejected/blank/cat/b.jpg": "b"}
    if os.fork() == 0:
        module = os if call == "link" else Path
        original, calls = getattr(module, call), iter(range(1, 1000))

        def killed(*arguments: object) -> object:
            if next(calls) == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        setattr(module, call, killed)
        place(root, wanted)
        os._exit(0)
    os.wait()
    for name in ("train", "rejected"):
        there = {path: sha for path, sha in files(root).items() if path.startswith(name)}
        whole = [{path: sha for path, sha in each.items() if path.startswith(name)} for each in (WANTED, wanted, {})]
        assert there in whole
    assert removed_by_hand(root) == []
    place(root, wanted)
    assert files(root) == wanted
    assert removed_by_hand(root) == []
