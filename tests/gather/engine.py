"""A web server with four search engines and the images that they find.

    python -m tests.gather.engine FOLDER [--port N]

serves the photos of a folder that has a folder for each class, and prints what `visionlab gather` has to be told to
gather them.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import socketserver
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

import yaml
from requests.utils import requote_uri

from tests.gather.plans import PAGE_SIZES, Item, Plan, folder_plan
from tests.gather.replies import Connection, Fixed, Reply
from tests.gather.result_pages import (
    FLICKR_KEY,
    bing_page,
    flickr_error,
    flickr_page,
    google_page,
    openverse_error,
    openverse_page,
)

HTML, JSON = "text/html; charset=utf-8", "application/json"
NOTHING = Fixed(b"nothing here", "text/plain", 404)


@dataclass(frozen=True)
class Request:
    """What was asked for, when (seconds of time.monotonic), under which host name, and by whom."""

    path: str
    time: float
    host: str
    agent: str


class Engine:
    """Serves a plan on 127.0.0.1 while it is entered.

    Attributes:
        plan: what is served.
        robots: the text of robots.txt, or a reply of another kind. May be changed at any time.
        requests: all that were made, in their order.
        expected: each address that a page of results names, and its item.
    """

    def __init__(self, plan: Plan, *, robots: str | Reply = "User-agent: *\nAllow: /\n", port: int = 0) -> None:
        self.plan = plan
        self.robots = robots
        self.requests: list[Request] = []
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.engine = self
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.expected: dict[str, Item] = {self.url(item.path): item for item in plan.items if item.found_by}
        self._replies = {requote_uri(item.path): item.reply for item in plan.items}
        self._results = plan.results()
        self._visits: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @classmethod
    def of_folder(cls, folder: Path, queries: dict[str, list[str]] | None = None, port: int = 0) -> Engine:
        """Of the photos in the folders of the classes; see `folder_plan`."""
        return cls(folder_plan(folder, queries), port=port)

    def __enter__(self) -> Engine:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()

    def url(self, path: str) -> str:
        return self.base + path

    def endpoints(self) -> dict[str, str]:
        return {name: self.url(f"/{name}/") for name in PAGE_SIZES}

    def overrides(self) -> list[str]:
        """For `visionlab gather`, so that it asks this engine, finds everything, and need not be polite."""
        return [
            *(f"gather.endpoints.{name}={address}" for name, address in self.endpoints().items()),
            "gather.politeness.allow_hosts=[127.0.0.1]",
            "gather.politeness.requests_per_second=1000",
            f"gather.pages={self.plan.pages()}",
        ]

    def write_held_out(self, folder: Path) -> None:
        """Write the held-out images of the plan into the folders of their classes."""
        for label, images in self.plan.held_out.items():
            (folder / label).mkdir(parents=True, exist_ok=True)
            for name, data in images.items():
                (folder / label / name).write_bytes(data)

    def asked(self, path: str) -> list[Request]:
        """The requests for a path, whatever their parameters."""
        return [request for request in list(self.requests) if urlsplit(request.path).path == path]

    def answer(self, client: socket.socket, path: str, host: str, agent: str) -> bool:
        """Answer a request. Gives whether the connection can be used for the next one."""
        with self._lock:
            self.requests.append(Request(path, time.monotonic(), host, agent))
            visit = self._visits[path]
            self._visits[path] += 1
        connection = Connection(client.sendall, self._stopping, self.base, path, visit)
        return (self._replies.get(path) or self._page(path)).send(connection)

    def _page(self, path: str) -> Reply:
        parts = urlsplit(path)
        name = parts.path.strip("/")
        if name == "robots.txt":
            return Fixed(self.robots.encode(), "text/plain") if isinstance(self.robots, str) else self.robots
        engines = {"openverse": self._openverse, "bing": self._bing, "google": self._google, "flickr": self._flickr}
        if name not in engines:
            return NOTHING
        return engines[name]({key: values[0] for key, values in parse_qs(parts.query).items()})

    def _found(self, source: str, query: str, first: int) -> tuple[list[str], int]:
        """The addresses from the one at `first` that make a page, and how many there are in all."""
        paths = self._results.get((source, query), [])
        return [self.url(path) for path in paths[first : first + PAGE_SIZES[source]]], len(paths)

    def _openverse(self, parameters: dict[str, str]) -> Reply:
        size, number = int(parameters.get("page_size", "20")), int(parameters.get("page", "1"))
        if size > PAGE_SIZES["openverse"]:
            detail = "page_size must be between 1 & 20 for unauthenticated requests."
            return Fixed(openverse_error(detail).encode(), JSON, 401)
        urls, count = self._found("openverse", parameters.get("q", ""), (number - 1) * size)
        return Fixed(openverse_page(urls, number, count).encode(), JSON)

    def _bing(self, parameters: dict[str, str]) -> Reply:
        query = parameters.get("q", "")
        urls, _ = self._found("bing", query, max(0, int(parameters.get("first", "1")) - 1))
        return Fixed(bing_page(urls, query).encode(), HTML)

    def _google(self, parameters: dict[str, str]) -> Reply:
        query = parameters.get("q", "")
        urls, _ = self._found("google", query, int(parameters.get("ijn", "0")) * PAGE_SIZES["google"])
        return Fixed(google_page(urls, query).encode(), HTML)

    def _flickr(self, parameters: dict[str, str]) -> Reply:
        if parameters.get("api_key") != FLICKR_KEY:
            return Fixed(flickr_error(100, "Invalid API Key (Key has invalid format)").encode(), JSON)
        number = int(parameters.get("page", "1"))
        urls, count = self._found("flickr", parameters.get("text", ""), (number - 1) * PAGE_SIZES["flickr"])
        return Fixed(flickr_page(urls, number, count).encode(), JSON)


class _Handler(socketserver.StreamRequestHandler):
    """Reads requests itself: http.server's way of doing it takes longer than the rest of a reply."""

    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client has gone, or the server ends
            while self._one():
                pass

    def _one(self) -> bool:
        words = self.rfile.readline().split()
        if len(words) != 3:
            return False
        headers = {}
        while (line := self.rfile.readline()) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        path, host, agent = words[1].decode("latin-1"), headers.get("host", ""), headers.get("user-agent", "")
        usable = self.server.engine.answer(self.connection, path, host, agent)
        return usable and headers.get("connection", "").lower() != "close"


class _Server(ThreadingHTTPServer):
    engine: Engine
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer looks up the name of the host besides

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # has ended by itself
                connection.shutdown(socket.SHUT_RDWR)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gather.engine", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="has a folder of photos for each class")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    usual = yaml.safe_load((Path(__file__).parents[2] / "conf/gather/catdog.yaml").read_text())
    queries = {label: settings["queries"] for label, settings in usual["classes"].items()}
    with Engine.of_folder(arguments.folder, queries, arguments.port) as engine:
        print(" ".join(engine.overrides()), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
