"""The pace of each host, and how much is left to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from visionlab.gather.web.addresses import host_of
from visionlab.gather.web.jobs import Host, Job
from visionlab.gather.web.robots import Rules

STRIKES = 5  # failures of a host, one after the other, after which it is given up


class Lane(Protocol):
    """Hands out jobs, with the lock of the traffic."""

    condition: threading.Condition

    def reconsider(self, host: Host | None) -> None:
        """Look again at the hosts that had to wait for something else than time, and at this one."""


class Traffic:
    """The hosts, and the lanes of jobs for them. All lanes end when no job is left in any.

    Args:
        requests_per_second: to one host.
    """

    def __init__(self, requests_per_second: float) -> None:
        self._interval = 1 / requests_per_second
        self._hosts: dict[str, Host] = {"": Host("", 0.0, rules=Rules())}
        self._lanes: list[Lane] = []
        self._left = 0
        self.lock = threading.Lock()
        self.finished = threading.Event()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the lanes from ending, as jobs are still to come."""
        with self.lock:
            self._left += 1
        try:
            yield
        finally:
            with self.lock:
                self.leave()

    def stop(self) -> None:
        """End all lanes at once, with jobs left in them."""
        with self.lock:
            self._end()

    def heed(self, host: Host, rules: Rules) -> None:
        """The rules of a host are known."""
        with self.lock:
            host.rules = rules
            host.interval = max(host.interval, rules.delay)
            host.free_at = max(host.free_at, time.monotonic() + rules.delay)

    def pause(self, host: Host, seconds: float) -> None:
        """Leave a host alone for a while."""
        with self.lock:
            host.free_at = max(host.free_at, time.monotonic() + seconds)

    def strike(self, host: Host, began: float) -> None:
        """A request to the host, which began at this time, has failed for a reason that is the host's."""
        with self.lock:
            if began > host.struck_at:
                host.struck_at = time.monotonic()
                host.strikes += 1
                host.given_up = host.strikes >= STRIKES

    def refund(self, job: Job[Any]) -> None:
        """The host was not asked for the job that was handed out. Its turn goes to the next one."""
        with self.lock:
            if job.host.free_at == job.turn:  # otherwise it has gone by
                job.host.free_at = min(job.turn, time.monotonic())
                self.wake(job.host)

    # what follows is for lanes, which hold the lock

    def join(self, lane: Lane) -> None:
        self._lanes.append(lane)

    def host(self, address: str) -> Host:
        """Of an address."""
        return self.named(host_of(address) if address else "")

    def named(self, name: str) -> Host:
        if name not in self._hosts:
            self._hosts[name] = Host(name, self._interval)
        return self._hosts[name]

    def arrive(self) -> None:
        self._left += 1

    def leave(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._end()

    def _end(self) -> None:
        self.finished.set()
        for lane in self._lanes:
            lane.condition.notify_all()

    def wake(self, host: Host | None = None) -> None:
        """Let all lanes look again at the hosts that had to wait, and at this one."""
        for lane in self._lanes:
            lane.reconsider(host)
