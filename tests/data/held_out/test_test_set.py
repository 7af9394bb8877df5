"""The test set on disk: all of it or nothing, whatever happens on the way."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.data.held_out.images import as_made, content, flat, in_folders, jpeg, unpacked, zipped
from visionlab.data.held_out import room, test_set
from visionlab.data.held_out.record import Record
from visionlab.errors import UserError

MAKE = """
import sys
from pathlib import Path
from visionlab.data.held_out.test_set import make
path = Path(sys.argv[2])
print(make(Path(sys.argv[1]), str(path), lambda _: path))
"""


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catdog" / "test"


def make(into: Path, path: Path, source: str = "") -> tuple[Record, bool]:
    return test_set.make(into, source or str(path), lambda _: path)


def left(into: Path) -> set[str]:
    """What lies beside the test set, but for its lock."""
    found = {file.relative_to(into.parent).as_posix() for file in into.parent.rglob("*")}
    return {path for path in found if path.split("/")[0] != into.name} - {f".{into.name}", f".{into.name}/lock"}


def test_the_set_and_where_it_came_from(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat())
    made, new = make(into, path)
    assert new
    assert content(into) == as_made(flat())
    assert made.images == {"cat": 3, "dog": 3}
    told = json.loads((into / ".source.json").read_text())
    digest = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    assert (told["archive"], told["archive_bytes"], told["archive_sha256"]) == (
        "train.zip", path.stat().st_size, digest,
    )  # fmt: skip
    assert told["source"] == str(path)
    assert left(into) == set()


def test_a_folder_of_the_user_stays_as_it_is(into: Path, tmp_path: Path) -> None:
    folder = unpacked(tmp_path / "mine", in_folders())
    before = {file: (file.stat().st_mtime_ns, file.stat().st_nlink) for file in folder.rglob("*")}
    made, _ = make(into, folder)
    assert (made.archive, made.archive_bytes, made.archive_sha256) == ("", 0, "")
    assert {file: (file.stat().st_mtime_ns, file.stat().st_nlink) for file in folder.rglob("*")} == before
    (folder / "PetImages/Cat/0.jpg").write_bytes(b"edited")
    assert content(into) == as_made(in_folders()), "a copy, so that an edit does not change what is tested with"


def test_broken_images_are_left_out_by_name(into: Path, tmp_path: Path) -> None:
    noise = io.BytesIO()
    Image.effect_noise((99, 99), 80).save(noise, "JPEG")
    whole = noise.getvalue()
    tiff = io.BytesIO()
    Image.new("RGB", (3, 900)).save(tiff, "TIFF")
    broken = {
        "PetImages/Cat/666.jpg": b"",
        "PetImages/Dog/11702.jpg": b"no image",
        "PetImages/Dog/12.jpg": whole[: len(whole) // 2],
    }
    odd = {"PetImages/Dog/13.jpg": tiff.getvalue(), "PetImages/Dog/14.jpg": jpeg(3, side=1)}
    files = in_folders() | odd
    path = zipped(tmp_path / "pet.zip", files | broken)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as file:
        file.writestr("PetImages/Cat/77.jpg", whole)
        place = file.filelist[-1].header_offset + 400
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 255
    path.write_bytes(damaged)
    made, _ = make(into, path)
    assert content(into) == as_made(files), "neither small nor narrow images are left out"
    assert set(made.left_out) == {*broken, "PetImages/Cat/77.jpg"}
    assert made.left_out["PetImages/Cat/666.jpg"] == "not an image of a known kind"
    assert "truncated" in made.left_out["PetImages/Dog/12.jpg"]
    assert "CRC" in made.left_out["PetImages/Cat/77.jpg"]
    assert make(into, path) == (made, False)


def test_a_class_that_cannot_be_read_at_all_is_no_test_set(into: Path, tmp_path: Path) -> None:
    files = flat() | {name: b"" for name in flat() if "dog" in name}
    with pytest.raises(UserError, match="none of its dogs can be read: not an image of a known kind"):
        make(into, zipped(tmp_path / "a.zip", files))
    assert not into.exists()
    assert left(into) == set()


def test_the_same_again_does_nothing_and_another_is_refused(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat())
    made, _ = make(into, path)
    before = {file: file.stat().st_mtime_ns for file in into.rglob("*")}
    for same in (
        path,
        zipped(tmp_path / "outer.zip", {"train.zip": path.read_bytes()}),
        unpacked(tmp_path / "f", flat()),
    ):
        assert make(into, same) == (made, False)
    other = zipped(tmp_path / "other.zip", flat(count=2))
    with pytest.raises(UserError, match=f"{into}: holds the test set of {path}, not of {other}: remove that folder"):
        make(into, other)
    with pytest.raises(UserError, match="not of petimages"):
        test_set.make(into, "petimages", lambda _: pytest.fail("nothing has to be downloaded to know that"))
    assert {file: file.stat().st_mtime_ns for file in into.rglob("*")} == before
    assert left(into) == set()


def test_what_was_downloaded_is_not_downloaded_again(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat())
    made, _ = make(into, path, "kaggle")
    assert test_set.make(into, "kaggle", lambda _: pytest.fail("asked for")) == (made, False)


def test_a_set_that_somebody_changed_is_not_taken_for_whole(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat())
    make(into, path)
    (into / "cat/cat.1.jpg").unlink()
    with pytest.raises(UserError, match="had 3 cats and 3 dogs when it was made and has 2 cats and 3 dogs now"):
        make(into, path)
    (into / ".source.json").write_text("{")
    with pytest.raises(UserError, match=r"holds 2 cats and 3 dogs without a .source.json"):
        make(into, path)


def test_places_that_are_none(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat())
    into.mkdir(parents=True)
    assert make(into, path)[1], "an empty folder is as good as none"
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="expected a folder for the test set, found a file"):
        make(tmp_path / "file", path)
    with pytest.raises(UserError, match=r"cannot be brought into .*file/test: .*file/.test: Not a directory"):
        make(tmp_path / "file" / "test", path)
    unpacked(tmp_path / "mine", {"notes.txt": b"mine"})
    with pytest.raises(UserError, match=r"holds 0 cats and 0 dogs without a \.source"):
        make(tmp_path / "mine", path)


def test_a_link_to_another_disk_stays_one(into: Path, tmp_path: Path) -> None:
    (tmp_path / "disk" / "test").mkdir(parents=True)
    into.parent.mkdir(parents=True)
    into.symlink_to(tmp_path / "disk" / "test")
    make(into, zipped(tmp_path / "train.zip", flat()))
    assert into.is_symlink()
    assert content(tmp_path / "disk" / "test") == as_made(flat())


def test_images_to_train_with_are_refused(into: Path, tmp_path: Path) -> None:
    unpacked(into.parent / "train", in_folders(""))
    with pytest.raises(UserError, match="expected images to test with, given those to train with"):
        make(into, into.parent / "train")
    with pytest.raises(UserError, match="expected a folder beside the test set's, given one around"):
        make(into, into.parent)


def test_a_full_disk_is_known_before(into: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage(0, 0, room.MARGIN + 2000))
    with pytest.raises(UserError, match=r"expected 100 MB of free disk, found 100 MB; free some or name another place"):
        make(into, zipped(tmp_path / "train.zip", flat()))
    assert not into.exists()
    assert left(into) == set()


def test_a_disk_that_fills_on_the_way_leaves_nothing(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat() | {"train/cat.9.jpg": jpeg(1, side=600) + os.urandom(200_000)})
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    done = run(limited + MAKE, into, path)
    assert done.returncode != 0
    assert f"UserError: the test set cannot be brought into {into}: " in done.stderr
    assert "File too large" in done.stderr
    assert not into.exists()
    assert left(into) == set()


def run(script: str, into: Path, path: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", script, str(into), str(path)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_killed_in_the_middle_and_called_again(into: Path, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(stream, "JPEG")
    files = {f"train/{label}.{number}.jpg": stream.getvalue() for label in ("cat", "dog") for number in range(100)}
    path = zipped(tmp_path / "outer.zip", {"train.zip": zipped(tmp_path / "train.zip", files).read_bytes()})
    process = multiprocessing.get_context("fork").Process(target=make, args=(into, path))
    process.start()
    staging = into.parent / ".test" / "partial"
    deadline = time.monotonic() + 60
    while len(list(staging.glob("test/*/*"))) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()
    assert staging.exists(), "it was in the middle"
    assert not into.exists()

    made, new = make(into, path)
    assert new
    assert made.images == {"cat": 100, "dog": 100}
    assert content(into) == as_made(files)
    assert left(into) == set()


@pytest.mark.slow
def test_killed_at_any_moment(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat(count=60))
    context = multiprocessing.get_context("fork")
    begin = time.monotonic()
    whole = context.Process(target=make, args=(into, path))
    whole.start()
    whole.join()
    duration = time.monotonic() - begin
    shutil.rmtree(into)
    outcomes = set()
    for step in range(40):
        process = context.Process(target=make, args=(into, path))
        process.start()
        time.sleep(duration * step / 20)
        process.kill()
        process.join()
        outcomes.add(into.exists())
        if into.exists():
            assert content(into) == as_made(flat(count=60))
        make(into, path)
        assert content(into) == as_made(flat(count=60))
        assert left(into) == set()
        shutil.rmtree(into)
    assert outcomes == {True, False}


def test_of_several_processes_one_makes_it(into: Path, tmp_path: Path) -> None:
    path = zipped(tmp_path / "train.zip", flat(count=50))
    context = multiprocessing.get_context("fork")
    answers: Any = context.Queue()
    processes = [context.Process(target=lambda: answers.put(make(into, path))) for _ in range(4)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(new for _, new in found) == [False, False, False, True]
    assert len({made.time for made, _ in found}) == 1
    assert content(into) == as_made(flat(count=50))
