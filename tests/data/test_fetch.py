"""Fetching a data set from a server that may be slow, broken, wrong or silent; by one process or several."""

from __future__ import annotations

import io
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from visionlab.data import download
from visionlab.data.fetch import fetch
from visionlab.errors import DataUnavailableError

FILES = {"batches.meta": b"names", "data_batch_1": os.urandom(40_000)}
FETCH = """
import pickle, sys
from pathlib import Path
from visionlab.data.fetch import fetch
print(fetch(*pickle.loads(Path(sys.argv[1]).read_bytes())))
"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "ANSWER_WITHIN", 5.0)
    monkeypatch.setattr(download, "STALL_AFTER", 1.0)


@pytest.fixture
def tiny(make_archive):
    return make_archive(FILES)


@pytest.fixture
def silent():
    """The address of a server that takes a connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/file"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def left_in(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()} - {".cifar-10-batches-py.lock"}


def start(arguments: tuple, tmp_path: Path) -> subprocess.Popen[str]:
    """Fetch in a process of its own."""
    path = tmp_path / "arguments"
    path.write_bytes(pickle.dumps(arguments))
    command = [sys.executable, "-c", FETCH, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_download(tiny, server, home, capfd):
    archive, tar = tiny
    url = server.serve("/file", tar)
    folder = fetch(archive, (url,), home / "data")
    assert content(folder) == FILES
    assert left_in(home / "data") == {"cifar-10-batches-py"}
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2, "one line when it starts, one when it ends"
    assert lines[1].startswith(f"Tiny: 0.0 MB from {url} in 0 s")


@pytest.mark.parametrize(
    "faults",
    [
        [{"cut": 20_000}],
        [{"cut": 20_000, "says_length": False}],
        [{"status": 500}],
        [{"status": 503}, {"cut": 0}],
    ],
    ids=["truncated", "truncated, length unknown", "500", "503, then empty"],
)
def test_a_passing_fault_is_overcome(tiny, server, home, faults):
    archive, tar = tiny
    for fault in faults:
        server.serve("/file", tar, **fault)
    url = server.serve("/file", tar)
    assert content(fetch(archive, (url,), home / "data")) == FILES
    assert server.got == ["/file"] * (len(faults) + 1)


def test_a_mirror_stands_in_for_a_missing_file(tiny, server, home):
    archive, tar = tiny
    missing, mirror = server.serve("/missing", status=404), server.serve("/mirror", tar)
    assert content(fetch(archive, (missing, mirror), home / "data")) == FILES
    assert server.got == ["/missing", "/mirror"]


def test_the_first_address_is_preferred(tiny, server, home):
    archive, tar = tiny
    urls = [server.serve(path, tar) for path in ("/official", "/mirror")]
    fetch(archive, urls, home / "data")
    assert server.got == ["/official"]


def test_redirect_is_followed(tiny, server, home):
    archive, tar = tiny
    target = server.serve("/target", tar)
    url = server.serve("/moved", status=301, location=target)
    assert content(fetch(archive, (url,), home / "data")) == FILES


def test_a_terminal_shows_speed_and_time_left(tiny, server, home, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    archive, tar = tiny
    fetch(archive, (server.serve("/file", tar, piece=10_000, pause=0.15),), home / "data")
    assert re.search(r"Tiny from 127.0.0.1: +\d+%.*\d+.*/40\.\dk \[00:00<00:00, .*B/s\]", sys.stderr.getvalue())


def test_slow_drip_arrives(tiny, server, home):
    archive, tar = tiny
    url = server.serve("/file", tar, piece=2_000, pause=0.02)
    assert content(fetch(archive, (url,), home / "data")) == FILES


def test_slow_address_is_left_for_the_next(tiny, server, home, monkeypatch, capfd):
    monkeypatch.setattr(download, "SLOW_AFTER", 0.2)
    archive, tar = tiny
    slow = server.serve("/slow", tar, piece=2_000, pause=0.1)
    mirror = server.serve("/mirror", tar)
    assert content(fetch(archive, (slow, mirror), home / "data")) == FILES
    assert server.complete == ["/mirror"]
    assert f"{slow}: only " in capfd.readouterr().err


def test_stalled_address_is_left_for_the_next(tiny, server, home, capfd):
    archive, tar = tiny
    stalled = server.serve("/stalled", tar, gate=threading.Event())
    mirror = server.serve("/mirror", tar)
    assert content(fetch(archive, (stalled, mirror), home / "data")) == FILES
    assert f"{stalled}: stalled" in capfd.readouterr().err


def test_wrong_file_is_refused(tiny, server, home):
    archive, tar = tiny
    url = server.serve("/file", b"x" * len(tar))
    with pytest.raises(DataUnavailableError, match="MD5 differs"):
        fetch(archive, (url,), home / "data")
    assert left_in(home / "data") == set()


def test_error_says_what_was_tried_and_what_to_do(tiny, server, home):
    archive, _ = tiny
    gone, broken = server.serve("/gone", status=404), server.serve("/broken", status=500)
    with pytest.raises(DataUnavailableError) as caught:
        fetch(archive, (gone, broken, "http://127.0.0.1:1/closed"), home / "data")
    tried, advice = str(caught.value).splitlines()
    assert f"Tiny is not in {home / 'data'}" in tried
    for reason in (
        f"{gone}: HTTP 404 Not Found",
        f"{broken}: HTTP 500 Internal Server Error",
        "closed: connection refused",
    ):
        assert reason in tried
    assert "tiny.tar.gz" in advice
    assert "VISIONLAB_DATA" in advice
    assert server.got.count("/gone") == 1, "an address that does not have the file is asked once"


def test_silent_addresses_are_known_by_the_deadline(tiny, home, silent, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_WITHIN", 0.5)
    begin = time.monotonic()
    with pytest.raises(DataUnavailableError, match=r"(no answer.*){3}"):
        fetch(tiny[0], (f"{silent}1", f"{silent}2", f"{silent}3"), home / "data")
    assert time.monotonic() - begin < 1.5


def test_silent_address_does_not_hide_a_mirror(tiny, server, home, silent, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_WITHIN", 0.5)
    archive, tar = tiny
    assert content(fetch(archive, (silent, server.serve("/mirror", tar)), home / "data")) == FILES


def test_a_silent_name_server_delays_neither_the_error_nor_the_exit():
    """A look-up of a host name cannot be interrupted, so the process must not wait for it at its end."""
    script = """
import socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(60)
from visionlab.data import download
download.ANSWER_WITHIN = 0.5
begin = time.monotonic()
print(download._silent(["http://nowhere.example/file"]), time.monotonic() - begin)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    reasons, seconds = result.stdout.rsplit(maxsplit=1)
    assert "no answer" in reasons
    assert float(seconds) < 2


def test_archive_that_is_there_needs_no_network(tiny, home):
    archive, tar = tiny
    path = home / "data" / archive.filename
    path.parent.mkdir()
    path.write_bytes(tar)
    assert content(fetch(archive, (), home / "data")) == FILES
    assert path.exists(), "the user's own file stays"


def test_damaged_archive_is_replaced_by_a_download(tiny, server, home, capfd):
    archive, tar = tiny
    path = home / "data" / archive.filename
    path.parent.mkdir()
    path.write_bytes(tar[:-1])
    assert content(fetch(archive, (server.serve("/file", tar),), home / "data")) == FILES
    assert "tiny.tar.gz is there, but it is not the published file" in capfd.readouterr().err


def test_archive_that_would_write_elsewhere_is_refused(make_archive, home):
    archive, tar = make_archive({"batches.meta": b"names", "../../escaped": b"evil"})
    path = home / "data" / archive.filename
    path.parent.mkdir()
    path.write_bytes(tar)
    with pytest.raises(DataUnavailableError, match="cannot be unpacked"):
        fetch(archive, (), home / "data")
    assert left_in(home / "data") == {archive.filename}
    assert not list(home.rglob("escaped"))


def test_folder_that_cannot_be_written_is_named(tiny, home):
    (home / "file").touch()
    with pytest.raises(DataUnavailableError, match=r"Tiny cannot be written to .*file/data"):
        fetch(tiny[0], (), home / "file" / "data")


def test_several_processes_download_once(tiny, server, home):
    archive, tar = tiny
    gate = threading.Event()
    url = server.serve("/file", tar, gate=gate)
    processes = [start((archive, (url,), home / "data"), home) for _ in range(4)]
    waiting = 0
    lock = threading.Condition()

    def listen(process):
        nonlocal waiting
        for line in process.stderr:
            if "waiting for another process" in line:
                with lock:
                    waiting += 1
                    lock.notify()

    listeners = [threading.Thread(target=listen, args=(process,)) for process in processes]
    for listener in listeners:
        listener.start()
    with lock:
        assert lock.wait_for(lambda: waiting == 3, timeout=60), "three processes say that they wait"
    gate.set()
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    for listener in listeners:
        listener.join()
    assert {process.stdout.read().strip() for process in processes} == {str(home / "data" / archive.folder)}
    assert (server.got, server.complete) == (["/file"], ["/file"])


def test_killed_download_leaves_nothing_in_the_way(tiny, server, home):
    archive, tar = tiny
    data = home / "data"
    url = server.serve("/file", tar, gate=threading.Event())
    server.serve("/file", tar)
    process = start((archive, (url,), data), home)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in data.glob(".*.partial/*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (data / archive.folder).exists()

    assert content(fetch(archive, (url,), data)) == FILES
    assert left_in(data) == {"cifar-10-batches-py"}
