"""A queue of jobs, each host at its own pace: no thread waits for one host while another is free."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from collections import Counter, deque
from typing import Generic, TypeVar

from visionlab.gather.web.jobs import Host, Job
from visionlab.gather.web.traffic import Traffic

SLACK = 0.02  # seconds by which a request may be late without delaying those behind it

T = TypeVar("T")


class Lane(Generic[T]):
    """A queue that hands out the next job whose host is free, in the order of arrival for each host.

    It has no bound, so that nothing waits for room in it, and nothing is lost for want of room.

    Args:
        traffic: of which it is a part: whatever is in any lane keeps all of them from ending.
        workers: threads that take jobs from it.
    """

    def __init__(self, traffic: Traffic, workers: int) -> None:
        self._traffic = traffic
        self._workers = workers
        self.condition = threading.Condition(traffic.lock)
        self._numbers = itertools.count()
        self._jobs: dict[str, deque[Job[T]]] = {}  # that wait, by host
        self._due: dict[str, float] = {}  # when a host is to be looked at; what the heap says besides is out of date
        self._heap: list[tuple[float, int, str]] = []
        self._aside: set[str] = set()  # hosts with jobs that have to wait for a job to come back
        self._delayed: list[tuple[float, int, Job[T]]] = []
        self._running: Counter[str] = Counter()
        self._next_look = math.inf  # when the thread that keeps the time will wake
        traffic.join(self)

    def put(self, job: Job[T]) -> None:
        """Add a job."""
        with self._traffic.lock:
            self._traffic.arrive()
            self._add(job)

    def get(self) -> Job[T] | None:
        """Wait for the next job. None at the end."""
        with self._traffic.lock:
            while not self._traffic.finished.is_set():
                now = time.monotonic()
                job = self._take(now)
                if job is not None:
                    self.condition.notify()  # to look for the job behind it, or to keep the time
                    return job
                self._wait(now)
        return None

    def done(self, job: Job[T]) -> None:
        """A job that was handed out has come to its end."""
        with self._traffic.lock:
            self._return(job)
            self._traffic.leave()

    def again(self, job: Job[T], seconds: float = 0.0, first: bool = False) -> None:
        """A job that was handed out has to be done once more, or goes on elsewhere.

        Args:
            job: with its new address.
            seconds: to wait at the least.
            first: before those that wait for the same host.
        """
        with self._traffic.lock:
            self._return(job)
            if seconds > 0:
                heapq.heappush(self._delayed, (time.monotonic() + seconds, next(self._numbers), job))
                self.condition.notify()
            else:
                self._add(job, first)

    def reconsider(self, host: Host | None) -> None:
        """As `traffic.Lane` has it."""
        for name in self._aside:
            self._schedule(name, 0.0)
        if host is not None and host.name in self._jobs:
            self._schedule(host.name, 0.0)
        self._aside.clear()
        self.condition.notify()

    def _add(self, job: Job[T], first: bool = False) -> None:
        host = self._traffic.host(job.address)
        waiting = self._jobs.get(host.name)
        if waiting is None:
            waiting = self._jobs[host.name] = deque()
            self._schedule(host.name, host.pace.free_at)
        if first:
            waiting.appendleft(job)
        else:
            waiting.append(job)
        self.condition.notify()

    def _schedule(self, name: str, when: float, number: int | None = None) -> None:
        self._due[name] = when
        heapq.heappush(self._heap, (when, next(self._numbers) if number is None else number, name))

    def _return(self, job: Job[T]) -> None:
        self._running[job.host.name] -= 1
        if not self._running[job.host.name]:
            del self._running[job.host.name]
        if job.asks:
            job.host.asking = job.asks = False
            self._traffic.wake()
        elif self._aside:
            self.reconsider(None)

    def _take(self, now: float) -> Job[T] | None:
        while self._delayed and self._delayed[0][0] <= now:
            self._add(heapq.heappop(self._delayed)[2])
        while self._heap and self._heap[0][0] <= now:
            when, number, name = heapq.heappop(self._heap)
            if self._due.get(name) != when:
                continue
            host = self._traffic.named(name)
            if host.pace.free_at > now:
                # before hosts of the same pace that have come after it
                self._schedule(name, host.pace.free_at, number)
            elif host.asking or self._running[name] >= self._share():
                del self._due[name]
                self._aside.add(name)
            else:
                return self._hand_out(host, now)
        return None

    def _hand_out(self, host: Host, now: float) -> Job[T]:
        waiting = self._jobs[host.name]
        job = waiting.popleft()
        job.host = host
        host.asking = job.asks = job.robots and host.rules is None
        host.pace.free_at = job.turn = max(host.pace.free_at, now - SLACK) + host.pace.interval
        self._running[host.name] += 1
        if waiting:
            self._schedule(host.name, host.pace.free_at)
        else:
            del self._jobs[host.name], self._due[host.name]
        return job

    def _share(self) -> int:
        """Threads that one host may keep busy: all, unless others wait for them too."""
        hosts = len(self._jobs) + sum(name not in self._jobs for name in self._running)
        return math.ceil(self._workers / hosts)

    def _wait(self, now: float) -> None:
        when = min(self._heap[0][0] if self._heap else math.inf, self._delayed[0][0] if self._delayed else math.inf)
        if when >= self._next_look:
            self.condition.wait()  # somebody else keeps the time
            return
        self._next_look = when
        self.condition.wait(min(when - now, threading.TIMEOUT_MAX))
        if self._next_look == when:
            self._next_look = math.inf
