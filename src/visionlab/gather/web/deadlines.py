"""Ends requests that take too long as a whole, however they drag on: no time-out of a single read sees a slow drip."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time

from visionlab.gather.web.errors import Stopped

CHECKS = 10  # in the time that a request may take: so much of it a request may last longer


class Exchange:
    """A request and its answer. `socket` is where they go, as soon as there is a connection.

    Attributes:
        due: when it has to be over, on the clock of `time.monotonic`.
        overdue: whether it was cut off for that.
    """

    def __init__(self, due: float) -> None:
        self.due = due
        self.overdue = False
        self.socket: socket.socket | None = None

    def cut_off(self) -> None:
        """Wake the thread that waits for the server, and let it find the connection closed."""
        if self.socket is not None:
            with contextlib.suppress(OSError, ValueError):
                # by the method of plain sockets: that of TLS ones takes their state away from the thread that reads
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Deadlines:
    """Watches over exchanges, in a thread.

    Args:
        seconds: for each.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numbers = itertools.count()
        self._running: dict[int, Exchange] = {}  # the oldest first, which are due first
        self._lock = threading.Lock()
        self._stopped = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
        self._thread.start()

    def begin(self) -> tuple[int, Exchange]:
        """A new exchange, and the number to end it by.

        Raises:
            Stopped: after `stop`.
        """
        exchange = Exchange(time.monotonic() + self._seconds)
        number = next(self._numbers)
        with self._lock:
            if self._stopped:
                raise Stopped
            self._running[number] = exchange
        return number, exchange

    def end(self, number: int) -> None:
        """The exchange is over; its connection may serve another."""
        with self._lock:
            del self._running[number]

    @property
    def stopped(self) -> bool:
        return self._stopped

    def stop(self) -> None:
        """Cut off all exchanges, and let none begin."""
        with self._lock:
            self._stopped = True
            for exchange in self._running.values():
                exchange.cut_off()

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(self._seconds / CHECKS):
            now = time.monotonic()
            with self._lock:
                for exchange in self._running.values():
                    if exchange.due > now:
                        break
                    exchange.overdue = True
                    exchange.cut_off()
