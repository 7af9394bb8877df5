"""kagglehub itself, in conversation with a server on 127.0.0.1 that stands in for Kaggle.

kagglehub has a setting for a Kaggle on `http://localhost`; a proxy setting leads that to the server's own port.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.data.held_out.images import as_made, content, flat, zipped
from visionlab.data.held_out import kaggle
from visionlab.errors import DataUnavailableError

API = "http://localhost/api/v1/competitions.CompetitionApiService/DownloadDataFile"
TOKEN_HELP = "kaggle.com -> Settings -> API makes one, for ~/.kaggle/kaggle.json, or KAGGLE_USERNAME and KAGGLE_KEY, or"


@dataclass
class Kaggle:
    """What it answers, and what it was asked."""

    file: bytes
    status: int = 302
    modified: str = ""
    cuts: list[int] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    users: set[str] = field(default_factory=set)


class _Handler(BaseHTTPRequestHandler):
    kaggle: Kaggle

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.kaggle.asked.append((self.path, request))
        self.kaggle.users.add(self.headers.get("Authorization", ""))
        self.send_response(self.kaggle.status)
        self.send_header("X-Kaggle-HubVersion", "99.0.0")  # kagglehub prints that it is out of date
        if self.kaggle.status == 302:
            self.send_header("Location", "http://localhost/storage/train.zip")
        body = json.dumps({"code": self.kaggle.status, "message": "no"}).encode() if self.kaggle.status != 302 else b""
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        file = self.kaggle.file
        wanted = self.headers.get("Range", "")
        self.kaggle.ranges.append(wanted)
        first = int(wanted[6:-1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("X-Kaggle-HubVersion", "99.0.0")
        self.send_header("Accept-Ranges", "bytes")
        if self.kaggle.modified:
            self.send_header("Last-Modified", self.kaggle.modified)
        self.send_header("x-goog-hash", f"md5={base64.b64encode(hashlib.md5(file).digest()).decode()}")
        self.send_header("Content-Length", str(len(file) - first))
        self.end_headers()
        self.wfile.write(file[first : self.kaggle.cuts.pop(0) if self.kaggle.cuts and not wanted else None])

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    state = Kaggle(zipped(tmp_path / "made" / "train.zip", flat()).read_bytes())
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"kaggle": state}))
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_KERNEL_RUN_TYPE", "KAGGLEHUB_VERBOSITY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / ".kaggle"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{http.server_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(kaggle, "PAUSE", 0.01)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def token(server: Kaggle, tmp_path: Path) -> Path:
    file = tmp_path / ".kaggle" / "kaggle.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"username": "me", "key": "secret"}))
    return file


def failure() -> str:
    with pytest.raises(DataUnavailableError) as caught:
        kaggle.download()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_the_labelled_archive_is_fetched_with_the_users_account(
    server: Kaggle, token: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = kaggle.download()
    assert path.read_bytes() == server.file
    assert server.asked == [(API, {"competitionName": "dogs-vs-cats", "fileName": "train.zip"})]
    assert server.users == {"Basic " + base64.b64encode(b"me:secret").decode()}
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "asking Kaggle for train.zip of dogs-vs-cats",
        f"{path} is kagglehub's copy: needed no more when the test set is complete",
    ]


@pytest.mark.parametrize(
    ("environment", "user"),
    [
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}, "Basic " + base64.b64encode(b"me:secret").decode()),
        ({"KAGGLE_API_TOKEN": "KGAT_1"}, "Bearer KGAT_1"),
    ],
)
def test_other_ways_to_give_a_token(
    environment: dict[str, str], user: str, server: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kaggle.download()
    assert server.users == {user}


def test_no_token(server: Kaggle) -> None:
    said = failure()
    assert said.startswith(f"Kaggle asks for a token, found none: {TOKEN_HELP}")
    assert said.endswith("`visionlab data petimages` needs no account")
    assert server.asked == []


@pytest.mark.parametrize("content", ["{", '{"username": "me"}'])
def test_a_token_file_that_is_none(content: str, server: Kaggle, token: Path) -> None:
    token.write_text(content)
    said = failure()
    assert str(token) in said
    assert TOKEN_HELP in said


def test_a_token_that_kaggle_does_not_know(server: Kaggle, token: Path) -> None:
    server.status = 401
    assert failure().startswith(f"Kaggle: does not know this token (HTTP 401): make a new one: {TOKEN_HELP}")
    assert len(server.asked) == 1


def test_rules_that_are_not_accepted(server: Kaggle, token: Path) -> None:
    server.status = 403
    assert failure() == (
        "Kaggle: asks you to accept the rules of the competition first (HTTP 403): "
        "https://www.kaggle.com/c/dogs-vs-cats/rules; `visionlab data petimages` needs no account"
    )
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "words", "times"), [(404, "HTTP 404", 1), (429, "HTTP 429", 3), (503, "HTTP 503", 3)]
)
def test_other_answers(status: int, words: str, times: int, server: Kaggle, token: Path) -> None:
    server.status = status
    assert failure().startswith(f"Kaggle: {words}")
    assert len(server.asked) == times


def test_no_network(server: Kaggle, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "TEST")  # a port that nobody listens on
    assert failure().startswith("Kaggle: connection refused: is there a network?")


def test_a_download_that_breaks_off_goes_on(server: Kaggle, token: Path) -> None:
    server.cuts = [1000]
    assert kaggle.download().read_bytes() == server.file
    assert server.ranges[-1].startswith("bytes=")


LONG_AGO, LONG_AFTER = "Wed, 01 Jan 2014 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"


@pytest.mark.parametrize("modified", [LONG_AGO, LONG_AFTER, ""], ids=["known", "outdated", "unknown"])
def test_what_was_fetched_before_and_damaged_since_is_fetched_again(modified: str, server: Kaggle, token: Path) -> None:
    server.modified = modified
    path = kaggle.download()
    path.write_bytes(b"damaged")
    assert kaggle.download().read_bytes() == server.file


def test_what_was_fetched_before_is_used(server: Kaggle, token: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.modified = LONG_AGO
    path = kaggle.download()
    monkeypatch.setattr(server, "file", b"not asked for")
    assert kaggle.download() == path
    token.unlink()
    assert kaggle.download() == path


def test_the_command(server: Kaggle, token: Path, cli: Cli, home: Path) -> None:
    done = cli("data", "kaggle")
    into = home / "data" / "catdog" / "test"
    assert done.returncode == 0, done.stderr
    assert content(into) == as_made(flat())
    assert done.stdout.splitlines()[0].startswith(f"{into}: made from kaggle on ")
    assert done.stdout.splitlines()[1:] == ["  cat  3", "  dog  3"]
    again = cli("data", "kaggle", HTTP_PROXY="http://127.0.0.1:1")
    assert again.returncode == 0, "needs neither token nor network"
    assert "is there already, made from kaggle" in again.stdout
