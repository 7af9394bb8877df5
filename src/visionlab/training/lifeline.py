"""A connection between rank 0 and each other process that trains with it: whoever dies, the other end knows at once.

The kernel closes the connections of a process however it ends, and notices a machine that is gone by their keep-alive.
So there is nothing to wait for as with heartbeats, and a process that is merely busy is not taken for a dead one.
Messages are lines of JSON: from rank 0 the settings of the run and its last word, from the others how they end.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import queue
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 60.0
KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}  # a machine that is gone is noticed in 14 s
LONGEST = 1 << 22  # bytes of a message
LONGEST_HELLO = 1 << 12

Message = dict[str, Any]


class News(NamedTuple):
    """Something that rank 0 hears of another process.

    Attributes:
        message: what that said, None where the connection has ended.
    """

    rank: int
    message: Message | None


class Hub:
    """Rank 0's end of all connections.

    Args:
        host: the name of this machine that others know it by.

    Attributes:
        news: what has been heard. The first message of a process has its `pid` and `host`.
    """

    def __init__(self, host: str) -> None:
        self.news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._token = secrets.token_hex(16)
        self._server = socket.create_server((LOOPBACK if host == LOOPBACK else "", 0), backlog=1024)
        self.address = f"{host} {self._server.getsockname()[1]} {self._token}"
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._said: list[bytes] = []
        threading.Thread(target=self._accept, name="hub", daemon=True).start()

    def say(self, message: Message) -> None:
        """Tell all processes, also those that are not connected yet."""
        line = _encode(message)
        with self._lock:
            self._said.append(line)
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.sendall(line)

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            for connection in (self._server, *self._connections):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._listen, args=(connection,), name="line", daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        hello: Any = None
        connection.settimeout(CONNECT_SECONDS)  # anybody may connect, and say anything or nothing
        with contextlib.suppress(OSError, ValueError, RecursionError):
            hello = json.loads(stream.readline(LONGEST_HELLO))
        token = str(hello.get("token", "")) if isinstance(hello, dict) else ""
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            stream.close()
            connection.close()
            return
        connection.settimeout(None)
        _keep_alive(connection)
        rank = int(hello["rank"])
        with self._lock:
            self._connections.append(connection)
            for line in self._said:
                with contextlib.suppress(OSError):
                    connection.sendall(line)
        self.news.put(News(rank, hello))
        with contextlib.suppress(OSError, ValueError):
            while line := stream.readline(LONGEST):
                self.news.put(News(rank, json.loads(line)))
        self.news.put(News(rank, None))


class Line:
    """Another process's end of its connection.

    Args:
        address: of rank 0's hub.
        on_message: called in a thread of its own.
        on_end: called there when the connection has ended.
    """

    def __init__(
        self, address: str, rank: int, on_message: Callable[[Message], None], on_end: Callable[[], None]
    ) -> None:
        host, port, token = address.split()
        self._socket = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS)
        self._socket.settimeout(None)
        _keep_alive(self._socket)
        self._on_message, self._on_end = on_message, on_end
        self.say({"token": token, "rank": rank, "pid": os.getpid(), "host": socket.gethostname()})
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def say(self, message: Message) -> None:
        """Tell rank 0, if it is still there."""
        with contextlib.suppress(OSError):
            self._socket.sendall(_encode(message))

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            stream = self._socket.makefile("rb")
            while line := stream.readline(LONGEST):
                self._on_message(json.loads(line))
        self._on_end()


def _encode(message: Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
