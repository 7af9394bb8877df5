from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.gather.crawls import plan_of
from tests.gather.engine import Engine
from tests.gather.replies import Fixed, Redirect
from visionlab.config.gather import PolitenessConfig
from visionlab.gather.web.client import Client
from visionlab.gather.web.errors import FetchError
from visionlab.gather.web.guard import Guard, is_public


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(plan_of(image=Fixed(b"image"), away=Redirect("http://localhost:{port}/image"))) as engine:
        yield engine


def get(url: str, *allow_hosts: str) -> bytes:
    client = Client(PolitenessConfig(allow_hosts=allow_hosts, silence_seconds=2), requests.Session(), 1)
    body = io.BytesIO()
    try:
        while target := client.get(url, body):
            url = target
    finally:
        client.close()
    return body.getvalue()


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have names resolve to these addresses, one look-up after the other. The names that are looked up."""
    names: list[str] = []
    usual = socket.getaddrinfo

    def look_up(host: str, port: int | None, *args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
        if not host.endswith(".example"):
            return usual(host, port, *args, **kwargs)  # type: ignore[return-value]
        names.append(host)
        address = answers[min(len(names), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700:4700::1111", "2a00:1450::1", "2002:808:808::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "nonsense",
        "fec0::1", "::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b:1::a00:1",
        "64:ff9b::a00:1", "64:ff9b::e000:1", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "2001::1", "2001:2::1",
        "2001:20::1", "2002:a00:1::1", "2002:e000:1::", "4000::1", "1::1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_no_way_of_writing_this_machines_address_leads_to_it(engine: Engine, host: str) -> None:
    port = engine.base.rpartition(":")[2]
    with pytest.raises(FetchError, match=r"private address|not reachable"):
        get(f"http://{host}:{port}/image")
    assert engine.requests == []


def test_a_host_that_is_allowed_may_be_private_and_no_other(engine: Engine) -> None:
    assert get(engine.url("/image"), "127.0.0.1") == b"image"
    assert get(engine.url("/away"), "127.0.0.1", "LocalHost.") == b"image"
    engine.requests.clear()
    with pytest.raises(FetchError, match="private address"):
        get(engine.url("/away"), "127.0.0.1")
    assert [request.path for request in engine.requests] == ["/away"]


def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # were it looked up a second time to connect, this machine would be asked
    names = resolving(monkeypatch, "10.255.255.1", "127.0.0.1")
    with pytest.raises(FetchError, match="private address"):
        get(engine.url("/image").replace("127.0.0.1", "rebinding.example"))
    assert names == ["rebinding.example"]
    assert engine.requests == []


def test_a_name_that_resolves_to_this_machine_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1")
    url = engine.url("/image").replace("127.0.0.1", "friendly.example")
    with pytest.raises(FetchError, match="private address"):
        get(url)
    assert get(url, "friendly.example") == b"image"


def test_of_several_addresses_only_the_public_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", (address, 80)) for address in ("10.0.0.1", "93.184.216.34")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    assert Guard(()).resolve("mixed.example", 80) == found[1:]


def test_a_proxy_may_be_private_but_is_not_asked_for_what_is(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", engine.base)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(FetchError, match="private address"):
        get("http://10.1.2.3/image")
    with pytest.raises(FetchError, match="private address"):
        get("http://localhost/image")
    assert engine.requests == []
    resolving(monkeypatch, "93.184.216.34")
    with pytest.raises(FetchError, match="HTTP 404"):
        get("http://public.example/image")
    assert [request.path for request in engine.requests] == ["http://public.example/image"]


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://example.org/a.jpg", "data:,a", "//example.org/a", "http://", "http://[::1",
            "http://a:b/", "http:///a.jpg", "", "http://a..b/", "http://" + 300 * "a" + ".example/"],
)  # fmt: skip
def test_only_http_addresses_are_asked_for(url: str) -> None:
    with pytest.raises(FetchError, match="not an http address"):
        get(url)
