from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from visionlab.data import decode_cache
from visionlab.data.decode_cache import decode_once
from visionlab.data.mapped import MappedImages
from visionlab.errors import UserError

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three grey images of levels 10, 20 and 30."""
    root = tmp_path / "images"
    root.mkdir()
    for number, name in enumerate(NAMES, start=1):
        Image.new("L", (9, 9), 10 * number).save(root / name)
    return root


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def decoded_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []
    decode = decode_cache.decode

    def counting(file: Path, *how: Any) -> Any:
        names.append(file.name)
        return decode(file, *how)

    monkeypatch.setattr(decode_cache, "decode", counting)
    return names


def levels(images: MappedImages) -> list[int]:
    """The grey level of each image, all of whose pixels have to be the same."""
    flat = images.to(torch.device("cpu")).flatten(1)
    assert (flat == flat[:, :1]).all()
    return flat[:, 0].tolist()


def test_images_stand_in_the_order_of_the_files(root: Path, cache: Path) -> None:
    decoded = decode_once(root, ["c.png", "a.png", "b.png"], 8, "rgb", cache)
    assert decoded.images.shape == (3, 3, 8, 8)
    assert levels(decoded.images) == [30, 10, 20]
    assert decoded.broken == {}
    assert decode_once(root, NAMES, 16, "grey", cache).images.shape == (3, 1, 16, 16)


def test_many_files_are_decoded_in_blocks(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, decoded_files: list[str]
) -> None:
    monkeypatch.setattr(decode_cache, "BLOCK", 2)
    assert levels(decode_once(root, NAMES, 8, "grey", cache).images) == [10, 20, 30]
    assert sorted(decoded_files) == list(NAMES)


def test_a_second_call_decodes_nothing(root: Path, cache: Path, decoded_files: list[str]) -> None:
    first = decode_once(root, NAMES, 8, "grey", cache)
    decoded_files.clear()
    second = decode_once(root, NAMES, 8, "grey", cache)
    assert decoded_files == []
    assert levels(first.images) == levels(second.images)
    assert first.identity == second.identity


@pytest.mark.parametrize("change", ["content", "time", "added", "order", "missing"])
def test_a_change_decodes_anew_and_replaces_the_old(
    root: Path, cache: Path, decoded_files: list[str], change: str
) -> None:
    before = decode_once(root, NAMES, 8, "grey", cache)
    decode_once(root, NAMES, 16, "grey", cache)
    names, expected = list(NAMES), [10, 20, 30]
    if change == "content":
        Image.new("L", (30, 30), 99).save(root / "b.png")
        expected[1] = 99
    elif change == "time":
        os.utime(root / "b.png", ns=(1, 1))
    elif change == "added":
        Image.new("L", (9, 9), 40).save(root / "d.png")
        names, expected = [*names, "d.png"], [*expected, 40]
    elif change == "order":
        names, expected = names[::-1], expected[::-1]
    else:
        (root / "b.png").unlink()
        expected[1] = 0
    decoded_files.clear()
    decoded = decode_once(root, names, 8, "grey", cache)
    assert levels(decoded.images) == expected
    assert decoded.identity != before.identity
    assert sorted(decoded_files) == sorted(names)
    # one for each size, and nothing half-made
    assert len(list(cache.glob("*/pixels.npy"))) == 2
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == 2


def test_roots_do_not_share(root: Path, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in NAMES:  # same names, lengths and times
        shutil.copystat(root / name, shutil.copyfile(root / name, other / name))
    decode_once(root, NAMES, 8, "grey", cache)
    decode_once(other, NAMES, 8, "grey", cache)
    assert len(list(cache.glob("*/pixels.npy"))) == 2


def _cut(folder: Path) -> None:
    os.truncate(folder / "pixels.npy", (folder / "pixels.npy").stat().st_size - 1)


def _lengthen(folder: Path) -> None:
    with (folder / "pixels.npy").open("ab") as stream:
        stream.write(b"more")


def _garble(folder: Path) -> None:
    content = (folder / "pixels.npy").read_bytes()
    (folder / "pixels.npy").write_bytes(b"garbage!" + content[8:])


def _empty(folder: Path) -> None:
    (folder / "pixels.npy").write_bytes(b"")


def _other_shape(folder: Path) -> None:
    np.save(folder / "pixels.npy", np.zeros((3, 1, 4, 4), np.uint8))


def _no_reasons(folder: Path) -> None:
    (folder / "broken.json").unlink()


def _half_reasons(folder: Path) -> None:
    (folder / "broken.json").write_text('{"1":')


@pytest.mark.parametrize("damage", [_cut, _lengthen, _garble, _empty, _other_shape, _no_reasons, _half_reasons])
def test_a_damaged_cache_is_made_again(root: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    decode_once(root, NAMES, 8, "grey", cache)
    (folder,) = (file.parent for file in cache.glob("*/pixels.npy"))
    length = (folder / "pixels.npy").stat().st_size
    damage(folder)
    assert levels(decode_once(root, NAMES, 8, "grey", cache).images) == [10, 20, 30]
    assert np.load(folder / "pixels.npy").shape == (3, 1, 8, 8)
    assert (folder / "pixels.npy").stat().st_size == length


def test_broken_files_are_black_and_remembered(root: Path, cache: Path, decoded_files: list[str]) -> None:
    (root / "b.png").write_text("no image")
    first = decode_once(root, NAMES, 8, "grey", cache)
    decoded_files.clear()
    second = decode_once(root, NAMES, 8, "grey", cache)
    assert decoded_files == []
    assert first.broken == second.broken == {1: "not an image of a known kind"}
    assert levels(second.images) == [10, 0, 30]


def _decode_and_log(root: Path, cache: Path, log: Path, barrier: Any) -> None:
    decode = decode_cache.decode

    def logging(file: Path, *how: Any) -> Any:
        with log.open("a") as stream:
            stream.write(f"{file.name}\n")
        return decode(file, *how)

    decode_cache.decode = logging  # type: ignore[assignment]
    barrier.wait()
    assert levels(decode_once(root, NAMES, 8, "grey", cache).images) == [10, 20, 30]


def test_of_several_processes_one_decodes(root: Path, cache: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")  # the libraries are imported already
    log, barrier = tmp_path / "log", context.Barrier(4)
    processes = [context.Process(target=_decode_and_log, args=(root, cache, log, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert sorted(log.read_text().split()) == list(NAMES)


LONG = tuple(f"{number:02}.png" for number in range(1, 21))  # files; two of them are broken


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """Ten blocks of two files, of levels 1 to 20."""
    root = tmp_path / "long"
    root.mkdir()
    for number, name in enumerate(LONG, start=1):
        Image.new("L", (9, 9), number).save(root / name)
    (root / "03.png").write_text("no image")
    (root / "17.png").write_text("no image")
    return root


def content(cache: Path) -> dict[str, bytes]:
    """All that is in the cache, but for the locks."""
    return {str(file.relative_to(cache)): file.read_bytes() for file in cache.glob("*/*")}


def _decode_until(root: Path, cache: Path, when: str) -> None:
    name, fatal = when.split()
    owner: Any = os if name == "fsync" else decode_cache
    function, calls = getattr(owner, name), []

    def wrapped(*how: Any) -> Any:
        calls.append(how)
        if len(calls) == int(fatal):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*how)

    decode_cache.BLOCK = 2
    setattr(owner, name, wrapped)
    decode_once(root, LONG, 8, "grey", cache)


def killed(root: Path, cache: Path, when: str) -> None:
    """Decode in another process that kills itself by signal 9; `when` says in which call of what."""
    context = multiprocessing.get_context("fork")  # the libraries are imported already
    process = context.Process(target=_decode_until, args=(root, cache, when))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("when", "done"),
    [
        ("decode 1", 0),
        ("decode 12", 10),
        ("decode 20", 18),
        ("fsync 2", 0),
        ("fsync 7", 6),
        ("_save 5", 8),
        ("_save 11", 20),
    ],
)
def test_a_killed_process_is_gone_on_with(
    long: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    decoded_files: list[str],
    when: str,
    done: int,
) -> None:
    monkeypatch.setattr(decode_cache, "BLOCK", 2)
    whole = decode_once(long, LONG, 8, "grey", tmp_path / "whole")
    killed(long, cache, when)
    assert [file.parent.suffix for file in cache.glob("*/pixels.npy")] == [".partial"]
    decoded_files.clear()
    resumed = decode_once(long, LONG, 8, "grey", cache)
    assert sorted(decoded_files) == list(LONG[done:])  # the block under way is all that is lost
    assert content(cache) == content(tmp_path / "whole")
    assert resumed.broken == whole.broken == dict.fromkeys((2, 16), "not an image of a known kind")
    assert levels(resumed.images) == [0 if number in (3, 17) else number for number in range(1, 21)]


def test_an_interruption_is_gone_on_with(
    long: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, decoded_files: list[str]
) -> None:
    monkeypatch.setattr(decode_cache, "BLOCK", 2)
    counting = decode_cache.decode

    def interrupted(file: Path, *how: Any) -> Any:
        if file.name == "07.png":
            raise KeyboardInterrupt
        return counting(file, *how)

    with monkeypatch.context() as patch:
        patch.setattr(decode_cache, "decode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            decode_once(long, LONG, 8, "grey", cache)
    decoded_files.clear()
    assert len(decode_once(long, LONG, 8, "grey", cache).images) == 20
    assert sorted(decoded_files) == list(LONG[6:])


def _one_less(partial: Path) -> None:
    os.truncate(partial / "pixels.npy", 128 + 64)


def _other_header(partial: Path) -> None:
    with (partial / "pixels.npy").open("r+b") as stream:
        stream.write(b"garbage!")


def _no_mark(partial: Path) -> None:
    (partial / "done.json").write_text('{"files": 1')


@pytest.mark.parametrize("damage", [_one_less, _other_header, _no_mark])
def test_what_is_in_doubt_is_decoded_anew(
    long: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(decode_cache, "BLOCK", 2)
    decode_once(long, LONG, 8, "grey", tmp_path / "whole")
    killed(long, cache, "decode 12")
    (partial,) = cache.glob("*.partial")
    damage(partial)
    decode_once(long, LONG, 8, "grey", cache)
    assert content(cache) == content(tmp_path / "whole")


def test_what_was_begun_of_other_files_goes(long: Path, cache: Path) -> None:
    killed(long, cache, "decode 12")
    Image.new("L", (9, 9), 77).save(long / "01.png")
    images = decode_once(long, LONG, 8, "grey", cache).images
    assert levels(images)[0] == 77
    assert not list(cache.glob("*.partial"))


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EIO, "Input/output")])
def test_a_disk_that_is_full_or_fails_is_told(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=rf"images.* cannot be decoded into .*cache .*{words}"):
        decode_once(root, NAMES, 8, "grey", cache)
    assert not [entry for entry in cache.iterdir() if entry.is_dir()]


def test_a_place_that_cannot_be_written_to_is_told(root: Path, cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(UserError, match="VISIONLAB_DATA names another place"):
        decode_once(root, NAMES, 8, "grey", cache)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_in_a_terminal_only(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode_once(root, NAMES, 8, "grey", cache)
    assert capsys.readouterr().err == ""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    decode_once(root, NAMES, 16, "grey", cache)
    assert "decoding images" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_the_cache_is_plain_numpy(root: Path, cache: Path) -> None:
    (root / "c.png").unlink()
    decode_once(root, NAMES, 8, "rgb", cache)
    (folder,) = (file.parent for file in cache.glob("*/pixels.npy"))
    assert np.load(folder / "pixels.npy")[:, 0, 0, 0].tolist() == [10, 20, 0]
    assert json.loads((folder / "broken.json").read_text()) == {"2": "No such file or directory"}
