"""The ways in which a web server answers, well or badly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Connection:
    """Of a request, to write to; `stopping` is set when the server ends."""

    write: Callable[[bytes], object]
    stopping: threading.Event
    base: str  # http://host:port of the server
    path: str
    visit: int  # how often the path has been asked for before


class Reply(Protocol):
    def send(self, connection: Connection) -> bool:
        """Answer. Gives whether the connection can be used for the next request."""
        ...


@dataclass(frozen=True)
class Fixed:
    """A body that is in memory, or in a file."""

    body: bytes | Path = b""
    type: str = "image/jpeg"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, connection: Connection) -> bool:
        body = self.body if isinstance(self.body, bytes) else self.body.read_bytes()
        connection.write(head(self.status, {"Content-Type": self.type, **self.headers}, len(body)) + body)
        return True


@dataclass(frozen=True)
class Redirect:
    """To `location`, in which {base} stands for the server itself."""

    location: str
    status: int = 302

    def send(self, connection: Connection) -> bool:
        port = connection.base.rpartition(":")[2]
        location = self.location.format(base=connection.base, port=port)
        connection.write(head(self.status, {"Location": location}, 0))
        return True


class InTurn:
    """The first request gets the first reply, and so on; the last one stays."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = replies

    def send(self, connection: Connection) -> bool:
        return self.replies[min(connection.visit, len(self.replies) - 1)].send(connection)


class Closed:
    """Not a word."""

    def send(self, connection: Connection) -> bool:
        return False


@dataclass(frozen=True)
class CutShort:
    """A part of what was announced."""

    body: bytes

    def send(self, connection: Connection) -> bool:
        connection.write(head(200, {"Content-Type": "image/jpeg"}, 2 * len(self.body)) + self.body)
        return False


@dataclass(frozen=True)
class Drip:
    """One byte at a time, so slowly that it never comes to an end, and never falls silent either."""

    headers: bool = False
    pause: float = 0.2

    def send(self, connection: Connection) -> bool:
        connection.write(b"HTTP/1.1 200 OK\r\nX-Slow: " if self.headers else head(200, {}, 1 << 20))
        while not connection.stopping.wait(self.pause):
            connection.write(b".")
        return False


class Endless:
    """As fast as it is read, for ever."""

    def send(self, connection: Connection) -> bool:
        connection.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nConnection: close\r\n\r\n")
        while not connection.stopping.is_set():
            connection.write(bytes(1 << 16))
        return False


def head(status: int, headers: dict[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
