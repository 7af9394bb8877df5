"""A small archive in the layout of CIFAR-10, and a file server on 127.0.0.1 that misbehaves on demand."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from visionlab.data.archive import Archive, Member


@dataclass(frozen=True)
class Answer:
    """What the server does with a request."""

    body: bytes = b""
    status: int = 200
    location: str | None = None
    cut: int | None = None  # the connection is closed after this many bytes
    says_length: bool = True
    piece: int = 1 << 20  # bytes between two pauses
    pause: float = 0.0
    gate: threading.Event | None = None  # after the first half, wait for this


@dataclass
class FileServer:
    """Each path has a list of answers; every GET takes one of them, the last one stays."""

    port: int
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    got: list[str] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)

    def serve(self, path: str, body: bytes = b"", **how: Any) -> str:
        """Add an answer to those of `path`; gives the address. `how` is as in `Answer`."""
        self.answers.setdefault(path, []).append(Answer(body, **how))
        return f"http://127.0.0.1:{self.port}{path}"


class _Handler(BaseHTTPRequestHandler):
    files: FileServer

    def do_HEAD(self) -> None:
        self._start(self.files.answers.get(self.path, [Answer(status=404)])[0])

    def do_GET(self) -> None:
        answers = self.files.answers.get(self.path, [Answer(status=404)])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.files.got.append(self.path)
        self._start(answer)
        body = answer.body[: answer.cut]
        piece = answer.piece if answer.gate is None else len(body) // 2 + 1
        try:
            for start in range(0, len(body), piece):
                if start > 0:
                    time.sleep(answer.pause)
                if start > 0 and answer.gate is not None:
                    answer.gate.wait(20)
                self.wfile.write(body[start : start + piece])
        except OSError:
            return  # the client has gone
        if answer.status == 200 and answer.cut is None:
            self.files.complete.append(self.path)

    def _start(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.location is not None:
            self.send_header("Location", answer.location)
        if answer.says_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = type("Handler", (_Handler,), {})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.files = FileServer(http.server_port)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield handler.files
    for answers in handler.files.answers.values():
        for answer in answers:
            if answer.gate is not None:
                answer.gate.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def make_archive() -> Callable[[dict[str, bytes]], tuple[Archive, bytes]]:
    """Make an archive of some files, with the right checksums; gives it and the content of its tar file."""

    def make(files: dict[str, bytes]) -> tuple[Archive, bytes]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        tar_content = buffer.getvalue()
        members = {name: Member(len(content), _md5(content)) for name, content in files.items()}
        size, md5 = len(tar_content), _md5(tar_content)
        return Archive("Tiny", "tiny.tar.gz", size, md5, "cifar-10-batches-py", members), tar_content

    return make


def _md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()
