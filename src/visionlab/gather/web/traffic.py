"""The pace of each host, and how much is left to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from visionlab.gather.web.addresses import host_of, machine_of
from visionlab.gather.web.jobs import Host, Job, Pace
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
        self._hosts: dict[str, Host] = {"": Host("", Pace(0.0), rules=Rules())}
        self._paces: dict[str, Pace] = {}
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
            host.pace.interval = max(host.pace.interval, rules.delay)
            host.pace.free_at = max(host.pace.free_at, time.monotonic() + rules.delay)

    def lead(self, host: Host, address: str) -> None:
        """The rules of a host are to be asked for at another address, in the turn that the host gets next.

        That turn comes no earlier than one of the machine which is to be asked, and counts as that.
        """
        with self.lock:
            host.robots_at = address
            there = self.host(address).pace
            if there is not host.pace:
                turn = max(there.free_at, time.monotonic())
                there.free_at = turn + there.interval
                host.pace.free_at = max(host.pace.free_at, turn)

    def pause(self, host: Host, seconds: float) -> None:
        """Leave a host alone for a while."""
        with self.lock:
            host.pace.free_at = max(host.pace.free_at, time.monotonic() + seconds)

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
            pace = job.host.pace
            if pace.free_at == job.turn:  # otherwise it has gone by
                pace.free_at = min(job.turn, time.monotonic())
                self.wake(job.host)

    # what follows is for lanes, which hold the lock

    def join(self, lane: Lane) -> None:
        self._lanes.append(lane)

    def host(self, address: str) -> Host:
        """Of an address."""
        name = host_of(address) if address else ""
        if name not in self._hosts:
            pace = self._paces.setdefault(machine_of(address), Pace(self._interval))
            self._hosts[name] = Host(name, pace, robots_at=f"{name}/robots.txt")
        return self._hosts[name]

    def named(self, name: str) -> Host:
        """One that an address has belonged to."""
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
