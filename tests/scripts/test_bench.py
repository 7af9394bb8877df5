"""The benchmarks' arithmetic, and that they start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def bench_lib(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import bench_lib

    return bench_lib


def test_the_ratio_is_taken_within_pairs(bench_lib) -> None:  # type: ignore[no-untyped-def]
    drift = np.array([1.0, 5.0, 2.0, 9.0, 3.0])  # the machine's speed changes, the ratio does not
    ratio = bench_lib.median_ratio(2 * drift, drift)
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_the_interval_covers_the_median_19_times_in_20(bench_lib) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        ratio = bench_lib.median_ratio(random.lognormal(0.1, 0.05, 15), np.ones(15))
        covered += ratio.low <= np.exp(0.1) <= ratio.high
    assert covered >= 52


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("bench_*[!b].py")), ids=lambda file: file.stem)
def test_a_benchmark_says_how_it_is_used(script: Path) -> None:
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"scripts/{script.name}" in done.stdout
