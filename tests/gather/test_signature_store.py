from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.gather.pictures import animated, encoded, picture
from visionlab.config.gather import AcceptConfig
from visionlab.errors import UserError
from visionlab.gather import signature_store
from visionlab.gather.inspection import Inspection
from visionlab.gather.signature_store import Outcome, inspect_all, key_of

ACCEPT = AcceptConfig()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four images, one of them in two files, and two files that are not kept."""
    folder = tmp_path / "files"
    folder.mkdir()
    data = [encoded(picture(seed, (96, 72)), "PNG") for seed in range(4)]
    data += [b"no image", data[0], data[1][:999]]
    found = [folder / f"{number}" for number in range(len(data))]
    for file, content in zip(found, data, strict=True):
        file.write_bytes(content)
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are inspected from now on."""
    names: list[str] = []
    inspect = signature_store.inspect

    def counting(file: Path, accept: AcceptConfig) -> Inspection:
        names.append(file.name)
        return inspect(file, accept)

    monkeypatch.setattr(signature_store, "inspect", counting)
    monkeypatch.setattr(signature_store, "SHARD", 2)
    return names


def run(files: list[Path], cache: Path, accept: AcceptConfig | None = ACCEPT) -> list[Outcome]:
    return inspect_all(files, [key_of(file) for file in files], cache, accept, "images")


def same(first: list[Outcome], second: list[Outcome]) -> bool:
    def plain(outcome: Outcome) -> object:
        if isinstance(outcome, str):
            return outcome
        hashes, thumbnail = outcome.signature
        told = (outcome.width, outcome.height, outcome.format, outcome.suffix, outcome.pixel_hash)
        return (*told, hashes.dtype, hashes.tobytes(), thumbnail.dtype, thumbnail.shape, thumbnail.tobytes())

    return [plain(outcome) for outcome in first] == [plain(outcome) for outcome in second]


def test_outcomes_stand_in_the_order_of_the_files(files: list[Path], cache: Path, inspected: list[str]) -> None:
    found = run(files, cache)
    assert [outcome for outcome in found if isinstance(outcome, str)] == ["not an image", "truncated"]
    assert found[4] == "not an image"
    assert found[6] == "truncated"
    assert same(run(files[::-1], cache), found[::-1])
    assert same([found[0]], [found[5]])


def test_a_second_call_decodes_nothing_and_finds_the_same(files: list[Path], cache: Path, inspected: list[str]) -> None:
    first = run(files, cache)
    assert sorted(inspected) == [file.name for file in files]
    inspected.clear()
    assert same(run(files, cache), first)
    assert inspected == []


def test_only_what_is_new_or_changed_is_inspected(files: list[Path], cache: Path, inspected: list[str]) -> None:
    run(files[:-1], cache)
    inspected.clear()
    os.utime(files[1], ns=(1, 1))
    run(files, cache)
    assert sorted(inspected) == ["1", "6"]


def test_files_with_the_same_key_are_inspected_once(files: list[Path], cache: Path, inspected: list[str]) -> None:
    found = inspect_all([files[0], files[5]], ["same", "same"], cache, ACCEPT, "images")
    assert len(inspected) == 1
    assert same(found[:1], found[1:])


@pytest.mark.parametrize("change", ["settings", "version"])
def test_another_judge_inspects_anew(
    files: list[Path], cache: Path, inspected: list[str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    run(files, cache)
    inspected.clear()
    accept = AcceptConfig(min_side=80) if change == "settings" else ACCEPT
    if change == "version":
        monkeypatch.setattr(signature_store.inspection, "VERSION", 0)
    found = run(files, cache, accept)
    assert len(inspected) == len(files)
    assert found.count("too small") == (5 if change == "settings" else 0)
    assert len(list(cache.iterdir())) == 1  # the old ones do not pile up


def test_whatever_can_be_decoded_counts_where_nothing_is_demanded(files: list[Path], cache: Path) -> None:
    contents = [animated(1, "GIF"), encoded(picture(9, (96, 72)), "TGA"), encoded(picture(9, (8, 8)), "PNG")]
    for file, content in zip(files, contents, strict=False):
        file.write_bytes(content)
    assert run(files, cache)[:3] == ["animated", "not an image", "too small"]
    for _ in range(2):  # also of those that were kept
        found = run(files, cache, None)
        assert [one if isinstance(one, str) else (one.width, one.format, one.suffix) for one in found[:4]] == [
            (160, "GIF", ".gif"),
            (96, "TGA", ""),
            (8, "PNG", ".png"),
            (96, "PNG", ".png"),
        ]
        assert (found[4], found[6]) == ("not an image", "truncated")


@pytest.mark.parametrize("damage", ["cut", "garbled", "empty", "other file"])
def test_a_damaged_shard_is_made_again(files: list[Path], cache: Path, inspected: list[str], damage: str) -> None:
    first = run(files, cache)
    shard = sorted(cache.glob("*/*.npz"))[0]
    content = shard.read_bytes()
    other = io.BytesIO()
    np.savez(other, key=["a"])
    middle = len(content) // 2
    shard.write_bytes(
        {
            "cut": content[:middle],
            "garbled": content[:middle] + b"garbage!" + content[middle + 8 :],
            "empty": b"",
            "other file": other.getvalue(),
        }[damage]
    )
    inspected.clear()
    assert same(run(files, cache), first)
    assert 0 < len(inspected) <= 2


def test_what_a_killed_process_left_is_no_obstacle(files: list[Path], cache: Path) -> None:
    run(files, cache)
    shard = next(cache.glob("*/*.npz"))
    shard.with_suffix(".partial").write_bytes(shard.read_bytes()[:99])
    run(files, cache)
    assert not list(cache.glob("*/*.partial"))


def test_a_file_that_is_missing_is_told(files: list[Path], cache: Path) -> None:
    keys = [key_of(file) for file in files]
    files[3].unlink()
    with pytest.raises(UserError, match=r"cannot be inspected: .*files/3: No such file"):
        inspect_all(files, keys, cache, ACCEPT, "images")


def test_a_cache_that_cannot_be_written_is_told(files: list[Path], cache: Path) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"cannot be inspected: .*cache"):
        run(files, cache)


_SLOW = """
import os, sys, time
from pathlib import Path
from visionlab.config.gather import AcceptConfig
from visionlab.gather import signature_store
inspect = signature_store.inspect
def slowly(file, accept):
    time.sleep(0.05)
    os.write(1, f"{file.name}\\n".encode())
    return inspect(file, accept)
signature_store.inspect, signature_store.SHARD = slowly, 4
files = sorted(Path(sys.argv[1]).iterdir())
signature_store.inspect_all(files, [signature_store.key_of(file) for file in files], Path(sys.argv[2]),
                            AcceptConfig(), "images")
"""


@pytest.mark.slow
def test_a_process_that_is_killed_loses_one_shard(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(60):
        (folder / f"{seed:02}").write_bytes(encoded(picture(seed, (96, 72))))
    lines: list[str] = []
    command = [sys.executable, "-c", _SLOW, str(folder), str(cache)]
    for kill in (True, True, True, False):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        if kill:
            lines += [process.stdout.readline() for _ in range(14)]
            process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait(60) == (-signal.SIGKILL if kill else 0)
    done = [line for line in lines if line.strip()]
    assert len(set(done)) == 60
    assert len(done) <= 60 + 3 * 2 * 4  # what was begun but not yet in a shard
