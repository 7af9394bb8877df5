"""Which GPUs a worker's runs may use, and that runs end with the process that started them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from visionlab import project
from visionlab.campaigns.launcher import VISIBLE, _gpus, share_gpus
from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.tracking.catalog import all_runs

FOUR = ["0", "1", "2", "3"]


def shared(workers: int, *words: str, gpus: list[str] = FOUR) -> list[list[str]]:
    return share_gpus(workers, load_train_config(["experiment=digits", *words]), gpus)


def test_gpus_are_handed_out_one_or_as_many_as_a_run_uses_to_a_worker() -> None:
    assert shared(3) == [["0"], ["1"], ["2"]]
    assert shared(2, "trainer.devices=2") == [["0", "1"], ["2", "3"]]
    assert shared(2, "trainer.accelerator=cpu") == [[], []]
    assert shared(2, gpus=[]) == [[], []]


def test_more_workers_than_gpus_are_refused_with_how_many_there_may_be() -> None:
    with pytest.raises(UserError, match=r"campaign.workers: expected at most 4, .* given 5"):
        shared(5)
    with pytest.raises(UserError, match=r"expected at most 2, as there are 4 GPUs and a run uses 2, given 3"):
        shared(3, "trainer.devices=2")


def test_gpus_that_are_hidden_from_this_process_are_hidden_from_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "2,GPU-abc")
    assert _gpus() == ["2", "GPU-abc"]
    for nothing in ("", "-1", "-1,0"):
        monkeypatch.setenv(VISIBLE, nothing)
        assert _gpus() == []


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_runs_end_with_a_campaign_that_is_killed(devices: int) -> None:
    words = ["experiment=digits", "trainer.accelerator=cpu", f"trainer.devices={devices}", "trainer.max_epochs=100000"]
    command = [sys.executable, "-m", "visionlab", "repeat", "seeds=1", *words, "tracking=off", "campaign.name=some"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_until(lambda: any("train/loss" in run.journal_file.read_text() for run in all_runs(project.runs())))
        (run,) = [run for run in all_runs(project.runs()) if run.id != "some"]
        trainers = _writers(str(run.path / "output.log"))
        assert len(trainers) == devices
    finally:
        process.kill()
        process.wait()
    _wait_until(lambda: not _writers(str(run.path / "output.log")), seconds=5)


def _writers(file: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str((process / "fd" / "2").readlink()) == file:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def _wait_until(condition: object, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
