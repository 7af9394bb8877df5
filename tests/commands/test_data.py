"""`visionlab data`: what it says and how it ends."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.data.held_out.images import as_made, content, flat, in_folders, unpacked, zipped
from tests.data.held_out.range_server import RangeServer, range_server
from visionlab.data.held_out import petimages, resumable, room
from visionlab.data.held_out.resumable import Published
from visionlab.errors import UserError

Command = Callable[..., None]
Output = pytest.CaptureFixture[str]
PETS = in_folders() | {"PetImages/Cat/666.jpg": b"", "PetImages/Dog/11702.jpg": b"no image", "readme.txt": b"x"}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    """A small archive in the layout of PetImages, known as the published one."""
    rest = {"PetImages/rest.bin": os.urandom(4 * resumable.PIECE)}
    body = zipped(tmp_path / "made" / "pet.zip", PETS | rest).read_bytes()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(resumable, "PAUSE", 0.01)
    monkeypatch.setattr(petimages, "PUBLISHED", Published("pet.zip", len(body), hashlib.sha256(body).hexdigest()))
    with range_server(body) as state:
        yield state


@pytest.fixture
def into(home: Path) -> Path:
    return home / "data" / "catdog" / "test"


def test_petimages(server: RangeServer, into: Path, command: Command, capsys: Output) -> None:
    command("data", "petimages", "--url", server.url)
    assert content(into) == as_made(in_folders())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{into}: made from petimages on 2")
    assert lines[1:] == [
        "  cat  3",
        "  dog  3",
        "left out: 2",
        "  PetImages/Cat/666.jpg    not an image of a known kind",
        "  PetImages/Dog/11702.jpg  not an image of a known kind",
    ]
    assert [file.name for file in (into.parent / ".test").iterdir()] == ["lock"], "the archive is needed no more"
    command("data", "petimages")
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{into}: is there already, made from petimages on 2")
    assert server.asked == [0]


def test_killed_while_downloading_it_goes_on(server: RangeServer, into: Path, command: Command) -> None:
    server.gate = threading.Event()
    words = ("data", "petimages", "--url", server.url)
    process = multiprocessing.get_context("fork").Process(target=command, args=words)
    process.start()
    partial = into.parent / ".test" / "downloads" / "pet.zip.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()
    assert not into.exists()
    server.gate.set()
    server.gate = None
    command(*words)
    assert content(into) == as_made(in_folders())
    assert server.asked[-1] > 0


def test_room_for_a_download_is_looked_for_before(
    server: RangeServer, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MARGIN", 1 << 60)
    with pytest.raises(UserError, match="MB of free disk"):
        command("data", "petimages", "--url", server.url)
    assert server.asked == []


@pytest.mark.parametrize("name", ["kaggle", "petimages"])
def test_the_layout_counts_and_not_the_name(name: str, tmp_path: Path, home: Path, command: Command) -> None:
    for number, files in enumerate((flat(), in_folders())):
        command(
            "data", name, "--from", str(unpacked(tmp_path / f"a{number}", files)), "--into", str(home / f"{number}")
        )
        assert content(home / f"{number}") == as_made(files)


def test_the_list(into: Path, tmp_path: Path, command: Command, capsys: Output) -> None:
    command("data")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["kaggle", "petimages", f"{into}:"]
    assert lines[-1] == f"{into}: nothing"
    assert not into.parent.exists(), "looking changes nothing"
    path = zipped(tmp_path / "train.zip", flat())
    command("data", "kaggle", "--from", str(path))
    capsys.readouterr()
    command("data")
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{into}: 3 cats, 3 dogs, made from {path} on 2")


def test_many_that_are_left_out(tmp_path: Path, command: Command, capsys: Output, into: Path) -> None:
    broken = {f"PetImages/Cat/{number}.jpg": b"" for number in range(100, 120)}
    command("data", "petimages", "--from", str(zipped(tmp_path / "a.zip", in_folders() | broken)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + 1 + 10 + 1
    assert lines[3] == "left out: 20"
    assert lines[-1] == f"  and 10 more: {into}/.source.json"


def test_mistakes_cost_one_line(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "kaggle", "--from", str(tmp_path / "nowhere.zip"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"visionlab: {tmp_path}/nowhere.zip: expected a zip file or a folder, found nothing\n"
    done = cli("data", "petimages", "--from", "a.zip", "--url", "http://127.0.0.1/")
    assert done.returncode == 2
    assert "not allowed with argument" in done.stderr
