"""Rank 0 and the others hear what each other says, and at once when one is gone, however it went."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from visionlab.errors import KILLED, InterruptedRun, RankError
from visionlab.training import failures as module
from visionlab.training.failures import Failures, is_consequence
from visionlab.training.lifeline import LOOPBACK, Hub, Line, Message, News


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(LOOPBACK)
    yield hub
    hub.close()


def connect(hub: Hub, rank: int = 1) -> tuple[Line, queue.SimpleQueue[Message | None]]:
    heard: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    return Line(hub.address, rank, heard.put, lambda: heard.put(None)), heard


def forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(3)
    return pid


def nothing_known(rank: int) -> None:
    return None


def test_what_is_said_is_heard_also_by_who_comes_later(hub: Hub) -> None:
    _, first = connect(hub, 1)
    hub.say({"settings": "a"})
    _, second = connect(hub, 2)
    assert [first.get(timeout=5), second.get(timeout=5)] == [{"settings": "a"}] * 2
    assert {hub.news.get(timeout=5).rank for _ in range(2)} == {1, 2}


def test_the_end_of_rank_0_is_noticed(hub: Hub) -> None:
    _, heard = connect(hub)
    hub.news.get(timeout=5)
    hub.close()
    assert heard.get(timeout=5) is None


@pytest.mark.parametrize(
    "hello",
    [b'{"token": "guess", "rank": 1}', '{"token": "é", "rank": 1}'.encode(), b"[1]", b"5", b"[" * 4000, b"\xff"],
)
def test_a_stranger_is_not_listened_to(hub: Hub, hello: bytes) -> None:
    _, port, _ = hub.address.split()
    with socket.create_connection((LOOPBACK, int(port)), timeout=5) as stranger:
        stranger.sendall(hello + b'\n{"failed": "x"}\n')
        with contextlib.suppress(ConnectionResetError):  # with what it has said still unread
            assert stranger.recv(1) == b""
    assert hub.news.empty()
    _, heard = connect(hub)
    hub.say({"over": True})
    assert heard.get(timeout=5) == {"over": True}


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "rank 1 was killed by signal 9"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "rank 1 was killed by signal 15"),
        (lambda: None, "rank 1 ended with exit code 3"),
    ],
)
def test_a_process_that_is_gone_without_a_word_is_noticed_with_how_it_went(
    hub: Hub, end: Callable[[], None], how: str
) -> None:
    def work() -> None:
        Line(hub.address, 1, lambda message: None, lambda: None)
        time.sleep(0.1)
        end()

    pid = forked(work)
    failures = Failures(hub.news, 2, nothing_known)
    started = time.monotonic()
    while not failures.found:
        failures.listen(5)
    assert time.monotonic() - started < 5
    assert str(failures.cause) == how
    os.waitpid(pid, 0)


def test_how_a_process_has_died_is_known_until_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DEATH_SECONDS", 0.1)
    pid = forked(lambda: os.kill(os.getpid(), signal.SIGKILL))
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert module.death_of(pid) == "was killed by signal 9"
    os.waitpid(pid, 0)
    assert module.death_of(pid) == "was killed"
    assert module.death_of(os.getpid()) is None


def news(*entries: News) -> Failures:
    heard: queue.SimpleQueue[News] = queue.SimpleQueue()
    failures = Failures(heard, 4, nothing_known)
    for entry in entries:
        heard.put(entry)
        failures.listen(1)
    return failures


def failed(rank: int, kind: str, is_consequence: bool = False) -> News:
    return News(rank, {"failed": kind, "message": "of it", "details": "", "is_consequence": is_consequence})


def test_the_cause_is_what_no_other_failure_explains() -> None:
    reset, stopped = failed(2, "RuntimeError", True), News(3, {"stopped": signal.SIGTERM})
    assert str(news(stopped, reset, failed(1, "ValueError")).cause) == "rank 1: ValueError: of it"
    assert str(news(stopped, reset).cause) == "rank 2: RuntimeError: of it"
    assert isinstance(news(stopped).cause, InterruptedRun)
    assert news(stopped).only_stopped
    assert not news(stopped, reset).only_stopped


def test_who_has_said_how_it_ends_is_not_taken_for_killed() -> None:
    failures = news(News(1, {"token": "", "rank": 1, "pid": 1, "host": "a"}), News(1, {"done": True}), News(1, None))
    assert not failures.found
    assert failures.missing == {2, 3}


def test_who_does_not_come_is_named() -> None:
    failures = news(News(1, {"token": "", "rank": 1, "pid": 1, "host": "a"}), News(3, {"done": True}))
    failures.never_came(300)
    assert isinstance(failures.cause, RankError)
    assert (failures.cause.kind, str(failures.cause)) == (KILLED, "rank 2 has not come within 300 s")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1"), True),
        (RuntimeError("NCCL communicator was aborted on rank 1"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("Connection closed by peer"), False),
        (None, False),
    ],
)
def test_what_torch_says_of_a_lost_connection_is_a_consequence(error: Any, expected: bool) -> None:
    assert is_consequence(error) == expected
