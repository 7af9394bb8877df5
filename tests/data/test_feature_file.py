"""Features survive kills, are computed once by however many processes, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from visionlab.data import feature_file
from visionlab.data.feature_file import BLOCK, Block, FeatureFile, Features

SHAPE = (2, 5 * BLOCK + 7, 3)
IMAGES = SHAPE[0] * SHAPE[1]
EVERYTHING = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32)

# fills the file of the test, and writes the number of each block that it computes
WORKER = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from visionlab.data.feature_file import FeatureFile

folder, shape = Path(sys.argv[1]), tuple(map(int, sys.argv[2].split()))
last, pause = int(sys.argv[3]), float(sys.argv[4])
everything = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)

def compute(block):
    print(block.number, flush=True)
    if block.number == last:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(pause)
    return everything[block.view, block.start : block.stop]

found = FeatureFile(folder, "same", shape).fill(compute, lambda done, begun: None)
assert np.array_equal(found, everything)
"""


class Worker:
    """Computes blocks in this process and notes what it is asked for and told."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.reports: list[tuple[int, bool]] = []

    def compute(self, block: Block) -> Features:
        self.blocks.append(block.number)
        return EVERYTHING[block.view, block.start : block.stop]

    def report(self, done: int, begun: bool) -> None:
        self.reports.append((done, begun))

    def fill(self, folder: Path, identity: str = "same") -> Features:
        return FeatureFile(folder, identity, SHAPE).fill(self.compute, self.report)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def process(folder: Path, last: int = -1, pause: float = 0.0) -> subprocess.Popen[str]:
    words = [str(folder), " ".join(map(str, SHAPE)), str(last), str(pause)]
    return subprocess.Popen([sys.executable, "-c", WORKER, *words], stdout=subprocess.PIPE, text=True)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_what_is_computed_is_kept_and_not_computed_again(folder: Path) -> None:
    first, second = Worker(), Worker()
    assert np.array_equal(first.fill(folder), EVERYTHING)
    assert first.blocks == list(range(12))
    assert first.reports[0] == (0, False)
    assert first.reports[-1] == (IMAGES, True)
    found = second.fill(folder)
    assert (second.blocks, second.reports) == ([], [])
    assert np.array_equal(found, EVERYTHING)
    assert not found.flags.writeable
    assert names(folder) == {"features-same.npy", "features.lock"}
    assert np.array_equal(np.load(folder / "features-same.npy"), EVERYTHING)  # an array to others, too


def test_after_a_kill_the_next_process_goes_on(folder: Path) -> None:
    killed = process(folder, last=8)
    assert killed.wait(60) == -signal.SIGKILL
    worker = Worker()
    assert FeatureFile(folder, "same", SHAPE).open() is None
    assert np.array_equal(worker.fill(folder), EVERYTHING)
    assert worker.blocks == [8, 9, 10, 11]
    assert worker.reports[0] == (SHAPE[1] + 2 * BLOCK, False)  # the first view, which ends with a smaller block
    assert names(folder) == {"features-same.npy", "features.lock"}


def test_several_processes_share_the_work(folder: Path) -> None:
    processes = [process(folder, pause=0.1) for _ in range(3)]
    said = [one.communicate(timeout=60)[0].split() for one in processes]
    assert [one.returncode for one in processes] == [0, 0, 0]
    assert sorted(int(number) for numbers in said for number in numbers) == list(range(12))
    assert names(folder) == {"features-same.npy", "features.lock"}


def test_what_a_killed_process_had_under_way_another_one_takes_over(folder: Path) -> None:
    killed, other = process(folder, last=11), process(folder, pause=0.02)
    killed.wait(60)
    numbers = other.communicate(timeout=60)[0].split()
    assert other.returncode == 0
    assert killed.returncode == 0 or "11" in numbers


@pytest.mark.parametrize("number", [0, 7])
def test_a_block_that_is_not_as_it_was_written_is_computed_again(folder: Path, number: int) -> None:
    assert process(folder, last=9).wait(60) == -signal.SIGKILL
    file = FeatureFile(folder, "same", SHAPE)
    partial = folder / "features-same.partial"
    content = bytearray(partial.read_bytes())
    content[file._offset(file.blocks[number]) + 5] ^= 1
    partial.write_bytes(content)
    worker = Worker()
    assert np.array_equal(worker.fill(folder), EVERYTHING)
    assert sorted(worker.blocks) == sorted([number, 9, 10, 11])


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"x" * (IMAGES * 12 + 128 + 12 * 16)])
def test_what_is_no_such_file_is_begun_anew(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "features-same.partial").write_bytes(content)
    (folder / "features-same.npy").write_bytes(content)
    worker = Worker()
    assert np.array_equal(worker.fill(folder), EVERYTHING)
    assert len(worker.blocks) == 12


def test_old_files_and_abandoned_ones_are_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_file, "KEPT", 3)
    folder.mkdir()
    now = time.time()
    ages = {"a.npy": 40, "b.npy": 30, "c.npy": 20, "old.partial": 8 * 86_400, "new.partial": 10}
    for name, age in ages.items():
        file = folder / f"features-{name}"
        file.touch()
        os.utime(file, (now - age, now - age))
    Worker().fill(folder)
    kept = {"features-same.npy", "features-new.partial", "features-c.npy", "features.lock"}
    assert names(folder) == kept


def test_a_file_that_was_removed_does_not_give_its_name_to_what_others_have_begun_since(folder: Path) -> None:
    worker = Worker()

    def compute(block: Block) -> Features:
        if block.number == 3:  # somebody clears the folder, and another process begins anew
            (folder / "features-same.partial").unlink()
            os.close(FeatureFile(folder, "same", SHAPE)._begin())
        return worker.compute(block)

    with pytest.raises(FileNotFoundError, match="was removed by somebody"):
        FeatureFile(folder, "same", SHAPE).fill(compute, worker.report)
    assert names(folder) == {"features-same.partial", "features.lock"}
    assert np.array_equal(worker.fill(folder), EVERYTHING)


def test_threads_of_a_process_come_to_the_same(folder: Path) -> None:
    workers = [Worker() for _ in range(3)]
    with ThreadPoolExecutor(len(workers)) as pool:
        found = list(pool.map(lambda worker: worker.fill(folder), workers))
    assert all(np.array_equal(one, EVERYTHING) for one in found)
    assert names(folder) == {"features-same.npy", "features.lock"}


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_to_serves_what_it_has(folder: Path) -> None:
    Worker().fill(folder)
    folder.chmod(0o500)
    try:
        worker = Worker()
        assert np.array_equal(worker.fill(folder), EVERYTHING)
        assert worker.blocks == []
        with pytest.raises(OSError, match="ermission denied"):
            worker.fill(folder, "other")
    finally:
        folder.chmod(0o700)


def test_a_full_disk_is_an_error_and_what_is_there_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, left = os.pwrite, [9]

    def nearly_full(file: int, content: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return usual(file, content[: max(1, len(content) // 2)] if left[0] == 4 else content, offset)

    monkeypatch.setattr(os, "pwrite", nearly_full)
    with pytest.raises(OSError, match="No space left"):
        Worker().fill(folder)
    monkeypatch.setattr(os, "pwrite", usual)
    worker = Worker()
    assert np.array_equal(worker.fill(folder), EVERYTHING)
    assert 0 < len(worker.blocks) < 12
