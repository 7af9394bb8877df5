"""What every test shares: a home of its own, the command line in a fresh process, no GPU tests without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]

# tests are about what happens when these are heeded, also where pytest was started in the background or by nohup
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# small tensors: more threads would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

# each process that a test starts would compile all of torch anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# tests fork children and kill them: tqdm's own lock is for several processes, and one killed with it would keep it
tqdm.set_lock(threading.RLock())

MOST_WORKERS = 8
WORKER_BYTES = 3e9  # with torch, MLflow and the processes that its tests start

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for `runs/` and `mlruns/` that nobody else sees; data sets that a test makes go below it too."""
    monkeypatch.setenv("VISIONLAB_HOME", str(tmp_path))
    monkeypatch.setenv("VISIONLAB_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def cli() -> Cli:
    """Run `visionlab …` in a fresh process."""

    def run(*arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "visionlab", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, env=os.environ | environment
        )

    return run


@pytest.fixture
def postgresql() -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    from tests.databases import postgresql

    yield from postgresql()


def pytest_xdist_auto_num_workers() -> int:
    """As many processes share the tests under `-n auto` as cores and memory allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores, int(psutil.virtual_memory().total / WORKER_BYTES), MOST_WORKERS)
    return workers if workers > 1 else 0  # none: the tests run in the one process that there is


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gpu" in item.keywords and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no GPU here"))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
