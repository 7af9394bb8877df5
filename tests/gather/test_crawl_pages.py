from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gather.crawls import (
    HERE,
    Seen,
    config_of,
    contents,
    images,
    plan_of,
)
from tests.gather.engine import Engine
from tests.gather.replies import Fixed, InTurn
from visionlab.config.gather import ClassConfig, GatherConfig
from visionlab.gather import crawl as module
from visionlab.gather.crawl import crawl, open_ledger
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import PageError, Source
from visionlab.gather.sources.urls import Urls

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


@dataclass(frozen=True)
class Made(Urls):
    """A source as a test needs it, with two pages for a query; breaks on some."""

    endpoint: str = ""
    broken: str = ""
    name: str = "bing"
    goes_on: bool = True

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        if self.broken == "pages":
            raise AttributeError(self.broken)
        return [Page(self.name, label, query) for query in config.queries]

    def address(self, page: Page) -> str:  # type: ignore[override]
        if self.broken == "address":
            raise AttributeError(self.broken)
        return f"{self.endpoint}/{page.query}-{page.number}"

    def parse(self, body: bytes, page: Page) -> list[Link]:
        if self.broken == "parse":
            raise RecursionError
        if self.broken == "page":
            raise PageError("not as documented")
        return [Link(url) for url in body.decode().split()]


def asking(
    monkeypatch: pytest.MonkeyPatch, *sources: Source, queries: tuple[str, ...] = ("tabby",), **settings: Any
) -> GatherConfig:
    monkeypatch.setattr(module, "make_sources", lambda config: (list(sources), {}))
    classes = {"cat": {"queries": queries}, "dog": {"queries": ["puppy"]}}
    settings = {"name": "pets", "classes": classes, "sources": ["bing", "google"], "politeness": HERE} | settings
    return GatherConfig.model_validate(settings)


def test_pages_are_asked_for_while_they_name_what_the_query_did_not_have(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(images(4)) as engine:
        first, second, third, fourth = (engine.url(f"/i{number}") for number in range(4))
        pages = {"tabby-0": [first, second], "tabby-1": [second, third], "tabby-2": [third], "puppy-0": [fourth]}
        pages |= {"tabby-3": [fourth], "puppy-1": []}
        with Engine(plan_of(**{name: Fixed("\n".join(links).encode()) for name, links in pages.items()})) as search:
            config = asking(monkeypatch, Made(endpoint=search.base), pages=10)
            crawl(config, root, Seen())
            asked = sorted(request.path for request in search.requests)
            assert asked == ["/puppy-0", "/puppy-1", "/robots.txt", "/tabby-0", "/tabby-1", "/tabby-2"]
            limited = config.model_copy(update={"pages": 2})
            assert len(open_ledger(root).finds(config)) == 6
            assert len(open_ledger(root).finds(limited)) == 5
        assert sorted(request.path for request in engine.requests) == ["/i0", "/i1", "/i2", "/i3", "/robots.txt"]


def test_more_pages_can_be_asked_for_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(images(4)) as engine:
        names = {f"tabby-{number}": Fixed(engine.url(f"/i{number}").encode()) for number in range(4)}
        with Engine(plan_of(**names)) as search:
            for pages in (1, 3):
                crawl(asking(monkeypatch, Made(endpoint=search.base), pages=pages), root, Seen())
            asked = Counter(request.path for request in search.requests)
    # the page that is not there is asked for each time
    assert asked == {"/robots.txt": 2, "/puppy-0": 2, "/tabby-0": 1, "/tabby-1": 1, "/tabby-2": 1}


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("pages", "unexpected AttributeError"),
        ("address", "unexpected AttributeError"),
        ("parse", "unexpected RecursionError"),
        ("page", "not as documented"),
    ],
)
def test_a_broken_source_is_reported_and_costs_no_other(
    root: Path, monkeypatch: pytest.MonkeyPatch, broken: str, reason: str
) -> None:
    with Engine(images(1)) as engine:
        plan = plan_of(**{name: Fixed(engine.url("/i0").encode()) for name in ("tabby-0", "puppy-0")})
        with Engine(plan) as search:
            sources = (Made(endpoint=search.base, broken=broken, name="google"), Made(endpoint=search.base))
            config, seen = asking(monkeypatch, *sources, pages=1), Seen()
            crawl(config, root, seen)
            assert contents(root, config) == {"i0": b"image 0"}
            assert set(seen.said) == {("google", reason)}
            # what failed is asked for again
            mended = asking(monkeypatch, *(Made(endpoint=search.base, name=name) for name in ("google", "bing")))
            crawl(mended, root, Seen())
            assert {find.page.source for find in open_ledger(root).finds(mended)} == {"google", "bing"}


@pytest.mark.parametrize(("wanted", "reasons"), [("obey", [("bing", "robots.txt forbids")]), ("ignore", [])])
def test_robots_txt_of_a_search_engine_binds_if_it_shall(
    root: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, reasons: list[tuple[str, str]]
) -> None:
    with Engine(images(1), robots="User-agent: *\nDisallow: /") as closed, Engine(images(1)) as engine:
        links = Fixed(f"{engine.url('/i0')} {closed.url('/i0')}".encode())
        plan = plan_of(**{"tabby-0": links, "puppy-0": links})
        with Engine(plan, robots="User-agent: *\nDisallow: /") as search:
            config = asking(monkeypatch, Made(endpoint=search.base), search_robots=wanted, pages=1)
            seen = Seen()
            crawl(config, root, seen)
            assert sorted(set(seen.said)) == reasons
            # of images it binds always
            assert len(contents(root, config)) == (wanted == "ignore")
            assert [request.path for request in closed.requests] == ["/robots.txt"] * (wanted == "ignore")


def test_a_first_page_without_images_is_reported_and_asked_for_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(images(2)) as engine:
        empty, seen = Fixed(b""), Seen()
        found = [Fixed(engine.url(f"/i{number}").encode()) for number in range(2)]
        pages = {"tabby-0": InTurn(empty, found[0]), "tabby-1": empty, "puppy-0": found[1], "puppy-1": empty}
        with Engine(plan_of(**pages)) as search:
            config = asking(monkeypatch, Made(endpoint=search.base), pages=2)
            crawl(config, root, seen)
            assert seen.said == [("bing", "no images on a page of results")]
            assert sorted(contents(root, config)) == ["i1"]
            search.requests.clear()
            for _ in range(2):
                crawl(config, root, seen)
            assert sorted(contents(root, config)) == ["i0", "i1"]
            assert len(seen.said) == 1
            # once, and the pages that have ended a query not at all
            asked = sorted(request.path for request in search.requests)
            assert asked == ["/robots.txt", "/tabby-0", "/tabby-1"]


@pytest.mark.parametrize("endpoint", ["http://", "http://?x=", "https:///search", "http://[::1", "http://a:b"])
def test_an_endpoint_that_names_no_host_is_told(root: Path, endpoint: str) -> None:
    config = config_of(root.parent, [])
    classes = {"cat": ClassConfig(queries=("tabby",)), "dog": ClassConfig(queries=("puppy",))}
    endpoints = config.endpoints.model_copy(update={"bing": endpoint})
    config, seen = config.model_copy(update={"classes": classes, "sources": ("bing",), "endpoints": endpoints}), Seen()
    crawl(config, root, seen)
    assert set(seen.said) == {("bing", "gather.endpoints.bing is not an http address")}


def test_a_folder_is_copied_and_no_page_can_name_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root.parent / "my photos #1"
    (folder / "deep").mkdir(parents=True)
    (folder / "a ä.jpg").write_bytes(b"one")
    (folder / os.fsdecode(b"deep/\xff.jpg")).write_bytes(b"two")
    (folder / "big.jpg").write_bytes(bytes(2_000_000))
    config = config_of(root.parent, [], max_megabytes=1)
    config = config.model_copy(update={"classes": config.classes | {"dog": ClassConfig(folder=str(folder))}})
    seen = Seen()
    crawl(config, root, seen)
    assert sorted(contents(root, config).values()) == [b"one", b"two"]
    assert seen.reasons == {"too many bytes": 1}
    (folder / "new.jpg").write_bytes(b"three")
    crawl(config, root, Seen())
    assert sorted(contents(root, config).values()) == [b"one", b"three", b"two"]

    secret = (folder / "a ä.jpg").as_uri()
    with Engine(plan_of(**{"tabby-0": Fixed(secret.encode()), "puppy-0": Fixed(b"data:,x")})) as search:
        config, seen = asking(monkeypatch, Made(endpoint=search.base), pages=1), Seen()
        crawl(config, root.parent / "other", seen)
    assert seen.reasons == {"not an http address": 2}
    assert contents(root.parent / "other", config) == {}
