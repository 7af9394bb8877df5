"""A download in pieces, from servers that break off, know no ranges or have another file."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.held_out.range_server import RangeServer, range_server
from visionlab.data.held_out import resumable
from visionlab.data.held_out.resumable import Published, download_resumable
from visionlab.errors import DataUnavailableError

BODY = os.urandom(500_000)
FILE = Published("file.zip", len(BODY), hashlib.sha256(BODY).hexdigest())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RangeServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(resumable, "PAUSE", 0.01)
    monkeypatch.setattr(resumable, "STALL_AFTER", 0.5)
    with range_server(BODY) as state:
        yield state


def fetch(server: RangeServer, folder: Path) -> None:
    path = download_resumable(FILE, server.url, folder)
    assert path == folder / "file.zip"
    assert path.read_bytes() == BODY
    assert [file.name for file in folder.iterdir()] == ["file.zip"]


def failure(server: RangeServer, folder: Path) -> str:
    with pytest.raises(DataUnavailableError) as caught:
        download_resumable(FILE, server.url, folder)
    assert not (folder / "file.zip").exists()
    return str(caught.value)


def test_at_one_go_and_never_again(server: RangeServer, tmp_path: Path) -> None:
    fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert server.asked == [0]


def test_a_connection_that_breaks_off_again_and_again(server: RangeServer, tmp_path: Path) -> None:
    server.cuts = [100_000] * 4
    fetch(server, tmp_path)
    assert server.asked[0] == 0
    assert len(server.asked) == 5, "more often than an address that gives nothing is asked"
    # what the last piece lost is asked for again
    assert all(0 <= 100_000 * number - first <= 300_000 for number, first in enumerate(server.asked))
    assert server.asked == sorted(server.asked)


def test_a_later_call_goes_on(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.partial").write_bytes(BODY[:123_456])
    fetch(server, tmp_path)
    assert server.asked == [123_456]


def test_all_there_but_not_yet_named(server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.partial").write_bytes(BODY)
    fetch(server, tmp_path)
    assert server.asked == []


def test_a_server_without_ranges(server: RangeServer, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.zip.partial").write_bytes(BODY[:123_456])
    fetch(server, tmp_path)


def test_a_server_that_does_not_say_the_length(server: RangeServer, tmp_path: Path) -> None:
    server.says_length, server.cuts = False, [200_000]
    fetch(server, tmp_path)
    assert len(server.asked) == 2


@pytest.mark.parametrize("beginning", [b"x" * 1000, b"x" * len(BODY), b"x" * (len(BODY) + 1)], ids=len)
def test_a_wrong_beginning_is_dropped(beginning: bytes, server: RangeServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.partial").write_bytes(beginning)
    fetch(server, tmp_path)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"x" * len(BODY), "SHA-256 differs"),
        (BODY[:-1], "499,999 bytes instead of 500,000"),
        (BODY + b"x", "500,001 bytes instead of 500,000"),
        (b"<html>sign in", "13 bytes instead of 500,000"),
    ],
)
def test_another_file_is_refused_at_once(body: bytes, words: str, server: RangeServer, tmp_path: Path) -> None:
    server.body = body
    assert failure(server, tmp_path) == (
        f"{server.url}: sent another file ({words}). --url names another address, --from a zip file"
    )
    assert list(tmp_path.iterdir()) == []
    assert server.asked == [0]


def test_a_file_without_end_is_cut_short(server: RangeServer, tmp_path: Path) -> None:
    server.body, server.says_length = BODY * 3, False
    assert "sent another file (a longer one)" in failure(server, tmp_path)


def test_errors_that_pass_and_errors_that_do_not(server: RangeServer, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    fetch(server, tmp_path)
    (tmp_path / "file.zip").unlink()
    server.statuses = [404]
    assert failure(server, tmp_path).startswith(f"{server.url}: HTTP 404 Not Found. --url names")
    (tmp_path / "file.zip.partial").write_bytes(BODY[:400_000])
    server.statuses = [503] * 3
    assert "HTTP 503 Service Unavailable; 0.4 MB are here, the next call goes on. --url" in failure(server, tmp_path)
    fetch(server, tmp_path)


def test_no_network(server: RangeServer, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="connection refused"):
        download_resumable(FILE, "http://127.0.0.1:1/file.zip", tmp_path)
    with pytest.raises(DataUnavailableError, match="--url names another address"):
        download_resumable(FILE, "nonsense", tmp_path)


def test_a_server_that_stalls(server: RangeServer, tmp_path: Path) -> None:
    server.gate = threading.Event()
    (tmp_path / "file.zip.partial").write_bytes(BODY[:-200])
    assert "stalled" in failure(server, tmp_path)


def test_killed_in_the_middle_goes_on(server: RangeServer, tmp_path: Path) -> None:
    server.gate = threading.Event()
    process = multiprocessing.get_context("fork").Process(target=fetch, args=(server, tmp_path))
    process.start()
    partial = tmp_path / "file.zip.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 100_000):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.join()
    server.gate.set()
    server.gate = None
    have = partial.stat().st_size
    fetch(server, tmp_path)
    assert server.asked[-1] == have > 100_000
