"""A checkpoint is whole or not there, says so itself, and is an ordinary checkpoint for everybody else."""

from __future__ import annotations

import os
import resource
import signal
import zipfile
from pathlib import Path

import pytest
import torch

from visionlab.training.checkpoint_file import DamagedCheckpointError, read, write

CONTENT = {"state_dict": {"weight": torch.arange(1000.0)}, "step": 3}


def test_what_is_written_is_read_back_here_and_by_torch(tmp_path: Path) -> None:
    file = tmp_path / "new" / "last.ckpt"
    write(CONTENT, file)
    for content in (read(file), torch.load(file, weights_only=True), torch.load(file, weights_only=True, mmap=True)):
        assert torch.equal(content["state_dict"]["weight"], CONTENT["state_dict"]["weight"])
        assert content["step"] == 3
    assert zipfile.ZipFile(file).testzip() is None
    assert [path.name for path in file.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("place", [0, 0.1, 0.5, 0.9, 0.999])
def test_one_changed_bit_is_noticed_wherever_it_is(place: float, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    write(CONTENT, file)
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(DamagedCheckpointError, match=r"last\.ckpt: damaged"):
        read(file)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_cut_file_is_noticed(kept: int, tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    write(CONTENT, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DamagedCheckpointError):
        read(file)


def test_a_checkpoint_without_a_hash_is_not_trusted(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "foreign.ckpt")
    with pytest.raises(DamagedCheckpointError):
        read(tmp_path / "foreign.ckpt")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    write({"trap": Trap()}, tmp_path / "last.ckpt")
    with pytest.raises(Exception, match="Weights only load failed"):
        read(tmp_path / "last.ckpt")
    assert not (tmp_path / "sprung").exists()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    write(CONTENT, file)
    before = file.read_bytes()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        try:
            write({"weight": torch.zeros(100_000)}, file)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
