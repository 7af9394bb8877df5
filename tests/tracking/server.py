"""A real MLflow server, and a proxy before it that does what servers and networks do on bad days."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import requests

START_SECONDS = 120


class Server:
    """`mlflow server` in processes of its own, on a port that stays the same when it is started again.

    Args:
        folder: of its artifacts, its log and, unless `store` says otherwise, its database.

    Attributes:
        database: the file, where there is one.
        command: as it is typed. It may be changed until the server is started, but for the port.
        environment: likewise, besides what is there.
    """

    def __init__(self, folder: Path, store: str | None = None) -> None:
        self._folder = folder
        self.database = folder / "server.db"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.command = ["mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(self.port)]
        self.command += ["--backend-store-uri", store or f"sqlite:///{self.database}"]
        self.command += ["--artifacts-destination", str(folder / "artifacts")]
        self.environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", *self.command]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | self.environment, start_new_session=True
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def processes(self) -> list[int]:
        """The ids of its processes."""
        import psutil

        assert self._process is not None
        return [self._process.pid, *(child.pid for child in psutil.Process(self._process.pid).children(recursive=True))]

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=1).ok
        except requests.RequestException:
            return False


class Seen(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]


class Exchange:
    """A request that waits for an answer."""

    def __init__(self, seen: Seen, body: bytes, handler: BaseHTTPRequestHandler, target: int) -> None:
        self.seen = seen
        self._body, self._handler, self._target = body, handler, target

    def forward(self) -> tuple[int, bytes]:
        """Have the real server carry it out; its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=120)
        connection.request(self.seen.method, self.seen.path, self._body, self._without_framing())
        answer = connection.getresponse()
        status, content = answer.status, answer.read()
        connection.close()
        return status, content

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.send_header("Content-Type", "application/json")
        self._handler.send_header("Content-Length", str(len(content)))
        self._handler.end_headers()
        self._handler.wfile.write(content)

    def cut(self) -> None:
        """Close the connection without an answer."""
        self._handler.close_connection = True

    def _without_framing(self) -> dict[str, str]:
        framing = {"transfer-encoding", "content-length", "connection"}
        return {name: value for name, value in self.seen.headers.items() if name.lower() not in framing}


Behaviour = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    exchange.answer(*exchange.forward())


def cut_before(exchange: Exchange) -> None:
    exchange.cut()


def cut_after(exchange: Exchange) -> None:
    """The server has done it, but nobody hears."""
    exchange.forward()
    exchange.cut()


def failing(status: int, **headers: str) -> Behaviour:
    return lambda exchange: exchange.answer(status, b"out of order", **headers)


def slow(seconds: float) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        time.sleep(seconds)
        well(exchange)

    return behave


def hanging(release: threading.Event) -> Behaviour:
    """No answer until released; then what was asked is carried out, though nobody may wait for it any more."""

    def behave(exchange: Exchange) -> None:
        release.wait()
        well(exchange)

    return behave


def at_random(seed: int, rate: float, *bad: Behaviour) -> Behaviour:
    """Bad at this rate, else well."""
    numbers = random.Random(seed)

    def behave(exchange: Exchange) -> None:
        (numbers.choice(bad) if numbers.random() < rate else well)(exchange)

    return behave


def on(path: str, bad: Behaviour, times: int) -> Behaviour:
    """Bad the first few times when a path ends so, else well."""
    left = [times]

    def behave(exchange: Exchange) -> None:
        if left[0] and exchange.seen.path.partition("?")[0].endswith(path):
            left[0] -= 1
            bad(exchange)
        else:
            well(exchange)

    return behave


class Proxy:
    """Passes requests on to a server, as its behaviour has it.

    Attributes:
        behaviour: what it does with each request from now on.
        seen: the requests that came in.
    """

    def __init__(self, target: int) -> None:
        self._target, self._port = target, free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self.behaviour: Behaviour = well
        self.seen: list[Seen] = []
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._server = _Listener(("127.0.0.1", self._port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, seen: Seen, body: bytes, handler: BaseHTTPRequestHandler) -> None:
        self.seen.append(seen)
        self.behaviour(Exchange(seen, body, handler, self._target))


class _Listener(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except OSError:  # the client has gone away
                self.close_connection = True

        def _do(self) -> None:
            if proxy._server is None:  # a connection from before it stopped
                self.close_connection = True
                return
            proxy.take(Seen(self.command, self.path, dict(self.headers.items())), self._body(), self)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = b""
            while length := int(self.rfile.readline(), 16):
                content += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return content

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815 - the names are http.server's

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def free_port() -> int:
    """A port that nobody listens on, of those that the system gives to nobody who has not asked for just that one.

    One of the others could be the near end of a test's connection, here or in another process, before it is used.
    """
    while True:
        # tests set the seed of other generators, so that two of them would draw the same
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
