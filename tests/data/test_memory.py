from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from visionlab.data import memory


def test_without_limits_it_is_what_the_machine_has_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "missing")
    total = psutil.virtual_memory().total
    assert 0 < memory.available_memory() < total


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other systems are not looked at")
@pytest.mark.parametrize("kind", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_of_the_process_counts(kind: str) -> None:
    script = f"""
import resource
from visionlab.data.memory import available_memory
resource.setrlimit(resource.{kind}, (2**28, -1))
before = available_memory()
block = bytearray(10**8)
print(before, available_memory())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 10**8 < before < 2**28
    assert before - after == pytest.approx(10**8, rel=0.1)


@pytest.mark.parametrize("limited", ["job", "job/step", ""])
def test_a_limit_of_a_control_group_or_of_one_around_it_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limited: str
) -> None:
    for place in ("", "job", "job/step"):
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        (folder / "memory.max").write_text("900000\n" if place == limited else "max\n")
        (folder / "memory.current").write_text("500000\n")
        (folder / "memory.stat").write_text("anon 300000\ninactive_file 90000\nactive_file 10000\n")
    (tmp_path / "membership").write_text("4:memory:/of/version/1\n0::/job/step\n")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    assert memory.available_memory() == 500_000


def test_what_is_used_up_is_not_negative(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_left_by_process_limits", lambda: [-5])
    assert memory.available_memory() == 0
