"""System metrics are real, seldom, and no reason for a run to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from visionlab.tracking import journal
from visionlab.tracking.journal import Journal, Record
from visionlab.tracking.system import SystemMetrics

LEAST = {
    "system/cpu_utilization_percentage",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
    "system/process_memory_megabytes",
}


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Journal]:
    writer = Journal(tmp_path / journal.FILE_NAME)
    yield writer
    writer.close()


def read(writer: Journal, count: int, began: float, every: float = 0.01) -> list[Record]:
    """Read until there are so many records."""
    metrics = SystemMetrics(writer, every)
    metrics.start(began)
    end = time.monotonic() + 30
    while len(records := journal.read(writer.file)[0]) < count:
        assert time.monotonic() < end
        time.sleep(0.01)
    metrics.stop()
    return records[:count]


def test_what_the_machine_does_is_recorded(writer: Journal) -> None:
    (record,) = read(writer, 1, began=time.time() - 5)
    values = record["values"]
    assert values.keys() >= LEAST
    assert all(0 <= value <= 100 for name, value in values.items() if name.endswith("_percentage"))
    rss = psutil.Process().memory_info().rss / 1e6
    assert values["system/process_memory_megabytes"] == pytest.approx(rss, rel=0.5)
    assert values["system/system_memory_usage_megabytes"] < psutil.virtual_memory().total / 1e6


def test_steps_are_the_seconds_since_the_run_began_each_once(writer: Journal) -> None:
    records = read(writer, 3, began=time.time() - 100)
    first = records[0]["step"]
    assert 100 <= first <= 103
    assert [record["step"] for record in records] == [first, first + 1, first + 2]


def test_nothing_is_recorded_after_the_end(writer: Journal) -> None:
    read(writer, 1, began=time.time() - 5)
    size = writer.file.stat().st_size
    time.sleep(1.1)
    assert writer.file.stat().st_size == size


def test_stopping_waits_for_no_interval_and_needs_no_start(writer: Journal) -> None:
    SystemMetrics(writer, 100).stop()
    metrics = SystemMetrics(writer, 100)
    metrics.start(time.time())
    started = time.monotonic()
    metrics.stop()
    assert time.monotonic() - started < 5
    assert not any(thread.name == "system-metrics" for thread in threading.enumerate())


def test_a_full_disk_ends_the_thread_and_nothing_else(writer: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(step: int, values: dict[str, float]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "metrics", full)
    metrics = SystemMetrics(writer, 0.01)
    metrics.start(time.time() - 5)
    metrics._thread.join(30)
    assert not metrics._thread.is_alive()
    metrics.stop()


def test_a_machine_without_a_network(writer: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "net_io_counters", lambda: None)
    (record,) = read(writer, 1, began=time.time() - 5)
    assert record["values"].keys() >= LEAST
    assert not any("network" in name for name in record["values"])


def _refuse(*arguments: object) -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.mark.parametrize(
    ("missing", "count"),
    [((), 4), (("nvmlDeviceGetPowerUsage",), 3), (("nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates"), 2)],
)
def test_a_gpu_is_read_as_far_as_it_measures(
    writer: Journal, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], count: int
) -> None:
    answers: dict[str, Callable[..., object]] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(used=2e9, total=8e9),
        "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=70),
        "nvmlDeviceGetPowerUsage": lambda gpu: 250_000,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, _refuse if name in missing else answer)
    (record,) = read(writer, 1, began=time.time() - 5)
    gpu = {name: value for name, value in record["values"].items() if name.startswith("system/gpu_0")}
    assert len(gpu) == count
    assert gpu["system/gpu_0_memory_usage_percentage"] == 25
    assert gpu.get("system/gpu_0_power_usage_watts", 250) == 250


@pytest.mark.gpu
def test_a_real_gpu_is_read(writer: Journal) -> None:
    (record,) = read(writer, 1, began=time.time() - 5)
    assert 0 < record["values"]["system/gpu_0_memory_usage_percentage"] <= 100
