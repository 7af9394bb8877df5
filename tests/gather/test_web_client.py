from __future__ import annotations

import contextlib
import gzip
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gather.crawls import plan_of
from tests.gather.engine import Engine
from tests.gather.plans import Plan
from tests.gather.replies import Closed, Connection, CutShort, Drip, Endless, Fixed, Redirect, head
from visionlab.config.gather import PolitenessConfig
from visionlab.gather.web import waits
from visionlab.gather.web.client import Client
from visionlab.gather.web.errors import FetchError, Stopped


class Chunked:
    """Without a length; `parts` of a body, which may come to no end."""

    def __init__(self, *parts: bytes, whole: bool = True) -> None:
        self.parts, self.whole = parts, whole

    def send(self, connection: Connection) -> bool:
        connection.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in self.parts:
            connection.write(b"%x\r\n%s\r\n" % (len(part), part))
        if self.whole:
            connection.write(b"0\r\n\r\n")
        return self.whole


class Silent:
    """Announces a body, and says no more."""

    def send(self, connection: Connection) -> bool:
        connection.write(head(200, {}, 100))
        connection.stopping.wait(10)
        return False


class Liar:
    """Redirects with a body that never ends."""

    def send(self, connection: Connection) -> bool:
        connection.write(b"HTTP/1.1 302 Found\r\nLocation: /plain\r\n\r\n")
        while not connection.stopping.is_set():
            connection.write(bytes(1 << 16))
        return False


BOMB = gzip.compress(bytes(20_000_000))
PLAN = plan_of(
    plain=Fixed(b"image"),
    empty=Fixed(b""),
    big=Fixed(bytes(3_000_000)),
    gone=Fixed(b"gone" * 1000, status=404),
    late=Fixed(status=408),
    busy=Fixed(status=429, headers={"Retry-After": "7"}),
    broken=Fixed(status=500),
    down=Fixed(status=503, headers={"Retry-After": "soon"}),
    unchanged=Fixed(status=304),
    partial=Fixed(b"part", status=206),
    here=Redirect("plain"),
    nowhere=Fixed(status=302),
    loop=Redirect("/loop"),
    umlaut=Redirect("/bär"),
    closed=Closed(),
    cut=CutShort(b"image"),
    drip=Drip(pause=0.05),
    drip_headers=Drip(headers=True, pause=0.05),
    endless=Endless(),
    silent=Silent(),
    liar=Liar(),
    zipped=Fixed(gzip.compress(b"image"), headers={"Content-Encoding": "gzip"}),
    bomb=Fixed(BOMB, headers={"Content-Encoding": "gzip"}),
    double=Fixed(gzip.compress(BOMB), headers={"Content-Encoding": "gzip, gzip"}),
    unzipped=Fixed(b"no gzip at all", headers={"Content-Encoding": "gzip"}),
    chunked=Chunked(b"im", b"age"),
    chunked_cut=Chunked(b"im", whole=False),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(PLAN) as engine:
        yield engine


@pytest.fixture
def client() -> Iterator[Client]:
    yield from make_client()


def make_client(**settings: Any) -> Iterator[Client]:
    settings = {"allow_hosts": ("127.0.0.1",), "max_megabytes": 2, "silence_seconds": 0.3} | settings
    client = Client(PolitenessConfig.model_validate(settings | {"download_seconds": 0.6}), requests.Session(), 4)
    yield client
    client.close()


class Counting:
    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes, /) -> None:
        self.bytes += len(data)


def get(client: Client, url: str) -> bytes | str:
    body = io.BytesIO()
    target = client.get(url, body)
    return body.getvalue() if target is None else target


@pytest.mark.parametrize(
    ("name", "expected"),
    [("plain", b"image"), ("empty", b""), ("zipped", b"image"), ("chunked", b"image"), ("here", "/plain")],
)
def test_a_body_or_where_to_go_on(engine: Engine, client: Client, name: str, expected: bytes | str) -> None:
    answer = get(client, engine.url(f"/{name}"))
    assert answer == (engine.url(expected) if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("name", "reason", "passing", "of_host", "pause"),
    [
        ("gone", "HTTP 404", False, False, None),
        ("late", "HTTP 408", True, False, None),
        ("busy", "HTTP 429", True, True, 7.0),
        ("broken", "HTTP 500", True, False, None),
        ("down", "HTTP 503", True, True, 0.0),
        ("unchanged", "HTTP 304", False, False, None),
        ("partial", "HTTP 206", False, False, None),
        ("nowhere", "HTTP 302", False, False, None),
        ("big", "too many bytes", False, False, None),
        ("endless", "too many bytes", False, False, None),
        ("bomb", "too many bytes", False, False, None),
        ("double", "too many bytes", False, False, None),
        ("unzipped", "broken encoding", False, False, None),
        ("closed", "not reachable", True, True, None),
        ("cut", "cut off", True, False, None),
        ("chunked_cut", "cut off", True, False, None),
        ("silent", "too slow", True, True, None),
        ("drip", "too slow", False, True, None),
        ("drip_headers", "too slow", False, True, None),
    ],
)
def test_reasons(
    engine: Engine, client: Client, name: str, reason: str, passing: bool, of_host: bool, pause: float | None
) -> None:
    with pytest.raises(FetchError) as caught:
        client.get(engine.url(f"/{name}"), Counting())
    error = caught.value
    assert (str(error), error.passing, error.of_host, error.pause) == (reason, passing, of_host, pause)


@pytest.mark.parametrize("name", ["endless", "bomb", "double"])
def test_no_more_than_the_limit_reaches_the_sink(engine: Engine, client: Client, name: str) -> None:
    sink = Counting()
    with pytest.raises(FetchError):
        client.get(engine.url(f"/{name}"), sink)
    assert sink.bytes <= 2_000_000


def test_the_body_of_a_redirect_is_not_waited_for(engine: Engine, client: Client) -> None:
    assert get(client, engine.url("/liar")) == engine.url("/plain")


def test_a_target_that_is_no_ascii_is_understood_as_utf_8(client: Client) -> None:
    class Umlaut:
        def send(self, connection: Connection) -> bool:
            connection.write("HTTP/1.1 302 Found\r\nLocation: /bär\r\nContent-Length: 0\r\n\r\n".encode())
            return True

    with Engine(plan_of(away=Umlaut())) as engine:
        assert get(client, engine.url("/away")) == engine.url("/bär")


@pytest.mark.parametrize("name", ["plain", "gone", "here", "chunked", "zipped"])
def test_connections_are_kept_open(client: Client, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    with Engine(PLAN) as engine:
        accept = engine._server.process_request
        monkeypatch.setattr(engine._server, "process_request", lambda *args: (made.append(args), accept(*args)))
        for _ in range(3):
            with contextlib.suppress(FetchError):
                get(client, engine.url(f"/{name}"))
    assert len(made) == 1


def test_says_who_it_is_and_keeps_no_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cookie:
        def send(self, connection: Connection) -> bool:
            return Fixed(b"image", headers={"Set-Cookie": "who=you"}).send(connection)

    with Engine(plan_of(cookie=Cookie())) as engine:
        for client in make_client(user_agent="somebot/2 (me@example.org)"):
            session_headers = client._headers
            get(client, engine.url("/cookie"))
            get(client, engine.url("/cookie"))
            assert not {"Cookie", "cookie"} & set(client._prepared(engine.url("/cookie")).headers)
            assert session_headers["User-Agent"] == "somebot/2 (me@example.org)"
        assert {request.agent for request in engine.requests} == {"somebot/2 (me@example.org)"}


@pytest.mark.parametrize("name", ["drip", "drip_headers", "silent"])
def test_stop_cuts_off_what_is_under_way(name: str) -> None:
    with Engine(PLAN) as engine:
        settings = PolitenessConfig(allow_hosts=("127.0.0.1",))
        client = Client(settings, requests.Session(), 1)
        caught: list[BaseException] = []

        def ask() -> None:
            with pytest.raises(Stopped) as info:
                client.get(engine.url(f"/{name}"), Counting())
            caught.append(info.value)

        thread = threading.Thread(target=ask)
        thread.start()
        while not engine.requests:
            time.sleep(0.01)
        client.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert len(caught) == 1
        with pytest.raises(Stopped):
            client.get(engine.url("/plain"), Counting())
        client.close()


def test_a_server_that_is_not_there(client: Client) -> None:
    with Engine(Plan(())) as engine:
        url = engine.url("/plain")
    with pytest.raises(FetchError, match="not reachable") as caught:
        client.get(url, Counting())
    assert caught.value.passing


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("3", 3), ("2.5", 2.5), ("0", 0), ("-4", 0), ("nan", 0), ("inf", 0), ("1e9", 120), ("soon", 0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 120)],
)  # fmt: skip
def test_retry_after(header: str | None, seconds: float) -> None:
    assert waits.asked_wait(header) == seconds


def test_back_off_doubles() -> None:
    assert [waits.back_off(failures) for failures in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert waits.back_off(100) == waits.LONGEST
