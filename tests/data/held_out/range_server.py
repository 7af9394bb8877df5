"""A server on 127.0.0.1 that has one file, knows ranges or not, and breaks off where it is told to."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class RangeServer:
    """What it has, and how it gives it.

    Attributes:
        ranges: whether it heeds `Range`.
        cuts: after how many bytes each of the next answers breaks off.
        statuses: of the next answers, in place of the file.
        gate: what an answer waits for after half of what it has to send.
        asked: the beginning that each request asked for.
    """

    body: bytes
    port: int = 0
    ranges: bool = True
    says_length: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    gate: threading.Event | None = None
    asked: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.zip"


class _Handler(BaseHTTPRequestHandler):
    server_state: RangeServer

    def do_GET(self) -> None:
        state = self.server_state
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        state.asked.append(first)
        if state.statuses:
            self.send_error(state.statuses.pop(0))
            return
        if state.ranges and first >= len(state.body) > 0:
            self.send_error(416)
            return
        body = state.body
        if match and state.ranges:
            body = body[first:]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(state.body) - 1}/{len(state.body)}")
        else:
            self.send_response(200)
        if state.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = state.cuts.pop(0) if state.cuts else len(body)
        half = min(cut, len(body) // 2) if state.gate else cut
        try:
            self.wfile.write(body[:half])
            self.wfile.flush()
            if state.gate:
                state.gate.wait(60)
            self.wfile.write(body[half:cut])
        except OSError:
            pass  # the client has gone

    def log_message(self, *_: object) -> None: ...


@contextmanager
def range_server(body: bytes) -> Iterator[RangeServer]:
    state = RangeServer(body)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_state": state}))
    state.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        if state.gate:
            state.gate.set()
        http.shutdown()
        http.server_close()
        thread.join()
