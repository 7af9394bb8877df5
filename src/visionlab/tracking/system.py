"""How busy the machine is while a run goes on: processor, memory, network, GPUs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil

from visionlab.tracking.journal import Journal

MEGABYTE = 1e6


class SystemMetrics:
    """A thread that records `system/…` values from time to time, under names that MLflow's UI has a page for.

    Their steps are seconds since the run began, so that a resumed run goes on where it stopped.

    Args:
        every: seconds from one reading to the next.
    """

    def __init__(self, journal: Journal, every: float) -> None:
        self._journal, self._every = journal, every
        self._began, self._last = 0.0, -1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="system-metrics", daemon=True)

    def start(self, began: float) -> None:
        """Begin to read.

        Args:
            began: when the run was started first, in seconds since 1970.
        """
        self._began = began
        psutil.cpu_percent()  # what later readings are differences from
        self._thread.start()

    def stop(self) -> None:
        """Read no more, from now on."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        with contextlib.suppress(OSError), _gpus() as gpus:  # a full disk is what training itself will report
            process, sent = psutil.Process(), psutil.net_io_counters()
            while not self._ended.wait(self._every):
                step = int(time.time() - self._began)
                if step > self._last:
                    self._last = step
                    self._journal.metrics(step, _read(process, sent, gpus))


def _read(process: psutil.Process, network_before: Any, gpus: list[Any]) -> dict[str, float]:
    memory, network = psutil.virtual_memory(), psutil.net_io_counters()
    values = {
        "system/cpu_utilization_percentage": psutil.cpu_percent(),
        "system/system_memory_usage_megabytes": memory.used / MEGABYTE,
        "system/system_memory_usage_percentage": memory.percent,
        "system/process_memory_megabytes": process.memory_info().rss / MEGABYTE,
    }
    if network is not None and network_before is not None:  # not every container has a network
        values |= {
            "system/network_receive_megabytes": (network.bytes_recv - network_before.bytes_recv) / MEGABYTE,
            "system/network_transmit_megabytes": (network.bytes_sent - network_before.bytes_sent) / MEGABYTE,
        }
    for number, gpu in enumerate(gpus):
        values |= _read_gpu(number, gpu)
    return values


def _read_gpu(number: int, gpu: Any) -> dict[str, float]:
    """What the card measures: not each of them its power, and a part of one (MIG) not its load."""
    import pynvml

    values: dict[str, float] = {}
    with contextlib.suppress(pynvml.NVMLError):
        memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
        values[f"system/gpu_{number}_memory_usage_megabytes"] = memory.used / MEGABYTE
        values[f"system/gpu_{number}_memory_usage_percentage"] = 100 * memory.used / memory.total
    with contextlib.suppress(pynvml.NVMLError):
        load = pynvml.nvmlDeviceGetUtilizationRates(gpu)
        values[f"system/gpu_{number}_utilization_percentage"] = float(load.gpu)
    with contextlib.suppress(pynvml.NVMLError):
        values[f"system/gpu_{number}_power_usage_watts"] = pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000
    return values


@contextlib.contextmanager
def _gpus() -> Iterator[list[Any]]:
    """Handles of the NVIDIA GPUs, none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield []
        return
    try:
        yield [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
