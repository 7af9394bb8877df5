from __future__ import annotations

import _thread
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gather.crawls import HERE, Seen, Slow, config_of, contents, images, outcomes, plan_of
from tests.gather.engine import Engine
from tests.gather.mixed_plan import NOT_FETCHED, mixed_plan
from tests.gather.plans import Item, Plan
from tests.gather.replies import Closed, Drip, Fixed, InTurn, Redirect
from visionlab.config.gather import ClassConfig, GatherConfig
from visionlab.errors import UserError
from visionlab.gather import crawl as module
from visionlab.gather.crawl import crawl, open_ledger
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import PageError, Source
from visionlab.gather.sources.urls import Urls

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    before = set(threading.enumerate())
    yield
    left = {thread.name for thread in set(threading.enumerate()) - before if "process_request" not in thread.name}
    assert not left


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pets"


def urls(engine: Engine) -> list[str]:
    return [engine.url(item.path) for item in engine.plan.items]


def crawled(engine: Engine, root: Path, **politeness: Any) -> dict[str, str]:
    """The outcome of each address of the engine, by its name."""
    config = config_of(root.parent, urls(engine), **politeness)
    crawl(config, root, Seen())
    return outcomes(root, config)


def in_a_moment(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.01) -> None:
    """Have retries wait no longer than that."""
    monkeypatch.setattr("visionlab.gather.web.visits.back_off", lambda failures: seconds)


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


def test_fetches_what_is_named_and_tells_of_it(root: Path) -> None:
    with Engine(images(3)) as engine:
        config = config_of(root.parent, [*urls(engine)[:2], engine.url("/gone")], urls(engine)[1:])
        seen = Seen()
        crawl(config, root, seen)
    assert contents(root, config) == {"i0": b"image 0", "i1": b"image 1", "i2": b"image 2"}
    assert seen.found_for == {"cat": 3, "dog": 2}
    assert seen.fetched_for == {"cat": 2, "dog": 2}
    assert seen.reasons == {"HTTP 404": 1}
    assert Counter(request.path for request in engine.requests) == dict.fromkeys(
        ("/robots.txt", "/i0", "/i1", "/i2", "/gone"), 1
    )
    assert sorted(path.name for path in (root / ".gather").iterdir()) == ["crawl.jsonl", "files", "partial"]
    assert not any((root / ".gather/partial").iterdir())


def test_a_mixed_web_is_gathered_as_planned(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_moment(monkeypatch)
    with Engine(mixed_plan()) as engine:
        config = GatherConfig.model_validate(
            {
                "name": "pets",
                "classes": {label: {"queries": queries} for label, queries in engine.plan.queries.items()},
                "endpoints": engine.endpoints(),
                "pages": engine.plan.pages(),
                "politeness": {**HERE, "download_seconds": 1, "max_megabytes": 2},
            }
        )
        seen = Seen()
        crawl(config, root, seen)
        expected = {url: item.kind in NOT_FETCHED for url, item in engine.expected.items()}
        finds = open_ledger(root).finds(config)
        assert {find.link.url: bool(find.fetch and find.fetch.reason) for find in finds} == expected
        assert seen.said == [("flickr", "FLICKR_API_KEY is not set")]
        assert set(seen.reasons) == {
            "HTTP 403", "HTTP 404", "cut off", "not an http address", "not reachable", "private address",
            "too many bytes", "too many redirects", "too slow",
        }  # fmt: skip
        before = len(engine.requests)
        again = Seen()
        crawl(config, root, again)
        assert len(engine.requests) == before
        assert vars(again) == vars(seen)


def test_many_more_addresses_than_threads_and_slow_images_lose_none(root: Path) -> None:
    with Engine(images(600, seconds=0.01)) as engine:
        result = crawled(engine, root, workers=8)
    assert result == {f"i{number}": "" for number in range(600)}
    assert len(engine.requests) == 601


def test_what_fails_for_the_moment_is_tried_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_moment(monkeypatch)
    good = Fixed(b"image")
    plan = plan_of(
        busy=InTurn(Fixed(status=429), good),
        down=InTurn(Fixed(status=503), Fixed(status=500), Closed(), good),
        never=Fixed(status=502),
        gone=Fixed(status=410),
    )
    with Engine(plan) as engine:
        result = crawled(engine, root, retries=3)
    assert result == {"busy": "", "down": "", "never": "HTTP 502", "gone": "HTTP 410"}
    asked = Counter(request.path for request in engine.requests)
    assert asked == {"/robots.txt": 1, "/busy": 2, "/down": 4, "/never": 4, "/gone": 1}


def test_a_server_that_asks_for_patience_gets_it_and_holds_no_thread(root: Path) -> None:
    busy = InTurn(Fixed(status=429, headers={"Retry-After": "1"}), Fixed(b"image"))
    with Engine(plan_of(busy=busy, other=Slow(Fixed(b"other"), 0.02))) as busy_engine, Engine(images(40)) as other:
        config = config_of(root.parent, urls(busy_engine) + urls(other), workers=1)
        crawl(config, root, Seen())
        assert set(outcomes(root, config).values()) == {""}
        first, second = (request.time for request in busy_engine.asked("/busy"))
        assert second - first >= 0.99
        # the other host was not kept waiting, by a single thread
        assert max(request.time for request in other.requests) < second
        # nothing was asked of the busy host in the meantime
        times = [request.time for request in busy_engine.requests]
        assert not [when for when in times if first < when < first + 0.99]


def test_a_host_that_only_fails_is_given_up_before_all_of_it_is_tried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_moment(monkeypatch)
    plan = plan_of(**{f"i{number}": Fixed(status=429) for number in range(50)})
    with Engine(plan) as engine:
        result = crawled(engine, root, workers=2)
        assert set(result.values()) == {"HTTP 429", "host given up"}
        assert len(engine.requests) < 30
        # what was not asked for is next time
        asked = Counter(request.path for request in engine.requests)
        crawled(engine, root, workers=2)
        assert all(asked[f"/{name}"] == 0 for name, reason in result.items() if reason == "host given up")
        assert len(engine.requests) > sum(asked.values()) + 1


def test_each_host_has_its_pace(root: Path) -> None:
    with Engine(images(8)) as one, Engine(images(8)) as other:
        config = config_of(root.parent, urls(one) + urls(other), requests_per_second=20)
        crawl(config, root, Seen())
        times = [[request.time for request in engine.requests] for engine in (one, other)]
    assert max(min(each) for each in times) < min(max(each) for each in times)
    for each in times:
        assert len(each) == 9  # with robots.txt
        assert max(each) - min(each) >= 8 / 20 - 0.05


def test_robots_txt_binds_and_is_asked_for_once(root: Path) -> None:
    items = [Item(f"/{folder}/{number}", Fixed(b"image")) for number in range(50) for folder in ("private", "free")]
    with Engine(Plan(tuple(items)), robots="User-agent: *\nDisallow: /private\n") as engine:
        seen = Seen()
        crawl(config_of(root.parent, urls(engine)), root, seen)
    assert seen.reasons == {"robots.txt forbids": 50}
    paths = [request.path for request in engine.requests]
    assert sorted(paths) == sorted(["/robots.txt", *(f"/free/{number}" for number in range(50))])
    assert paths[0] == "/robots.txt"


def test_what_is_forbidden_takes_no_turns(root: Path) -> None:
    with Engine(images(100), robots="User-agent: *\nDisallow: /\nAllow: /i99\n") as engine:
        began = time.monotonic()
        assert Counter(crawled(engine, root, requests_per_second=2).values()) == {"robots.txt forbids": 99, "": 1}
        assert time.monotonic() - began < 25  # half of what it would take


def test_robots_txt_of_the_host_that_a_redirect_leads_to_binds(root: Path) -> None:
    with Engine(images(1), robots="User-agent: *\nDisallow: /") as closed, Engine(images(2)) as open_:
        plan = plan_of(away=Redirect(closed.url("/i0")), there=Redirect(open_.url("/i1")))
        with Engine(plan) as engine:
            assert crawled(engine, root) == {"away": "robots.txt forbids", "there": ""}
        assert [request.path for request in closed.requests] == ["/robots.txt"]
        assert [request.path for request in open_.requests] == ["/robots.txt", "/i1"]


def test_without_robots_txt_within_reach_nothing_is_fetched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_moment(monkeypatch)
    with Engine(images(5), robots=Fixed(status=500)) as engine:
        assert set(crawled(engine, root, retries=2).values()) == {"robots.txt not reachable"}
        assert [request.path for request in engine.requests] == 3 * ["/robots.txt"]


def test_robots_txt_that_comes_after_all_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_moment(monkeypatch)
    robots = InTurn(Fixed(status=503), Closed(), Fixed(b"User-agent: *\nDisallow: /i0"))
    with Engine(images(2), robots=robots) as engine:
        assert crawled(engine, root) == {"i0": "robots.txt forbids", "i1": ""}


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
        plan = plan_of(**{"tabby-0": Fixed(engine.url("/i0").encode()), "puppy-0": Fixed(b"")})
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
        plan = plan_of(**{"tabby-0": Fixed(f"{engine.url('/i0')} {closed.url('/i0')}".encode()), "puppy-0": Fixed(b"")})
        with Engine(plan, robots="User-agent: *\nDisallow: /") as search:
            config = asking(monkeypatch, Made(endpoint=search.base), search_robots=wanted, pages=1)
            seen = Seen()
            crawl(config, root, seen)
            assert sorted(set(seen.said)) == reasons
            # of images it binds always
            assert len(contents(root, config)) == (wanted == "ignore")
            assert [request.path for request in closed.requests] == ["/robots.txt"] * (wanted == "ignore")


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


def test_a_file_that_cannot_be_read_is_a_reason(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root.parent / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"one")
    config = config_of(root.parent, [])
    config = config.model_copy(update={"classes": config.classes | {"dog": ClassConfig(folder=str(folder))}})

    def refuse(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.parent == folder:
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **kwargs)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    seen = Seen()
    crawl(config, root, seen)
    assert seen.reasons == {"not readable": 1}


def test_a_list_that_is_not_there_is_told_at_once(root: Path) -> None:
    config = config_of(root.parent, [])
    (root.parent / "cat.txt").unlink()
    with pytest.raises(UserError, match=r"cat\.txt"):
        crawl(config, root, Seen())
    assert not root.exists()


def test_two_names_of_a_file_are_stored_once(root: Path) -> None:
    with Engine(plan_of(one=Fixed(b"image"), two=Fixed(b"image"))) as engine:
        assert crawled(engine, root) == {"one": "", "two": ""}
    assert len(list((root / ".gather/files").iterdir())) == 1


def test_a_file_that_is_gone_is_fetched_again(root: Path) -> None:
    with Engine(images(3)) as engine:
        crawled(engine, root)
        gone = min((root / ".gather/files").iterdir())
        gone.unlink()
        crawled(engine, root)
        assert gone.exists()
        assert len(engine.requests) == 1 + 3 + 2


def test_an_error_in_the_program_is_a_reason_and_kills_no_thread(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from visionlab.gather.web.client import Client

    get = Client.get

    def broken(self: Client, url: str, sink: Any) -> str | None:
        if url.endswith(("1", "2")):
            raise MemoryError
        return get(self, url, sink)

    monkeypatch.setattr(Client, "get", broken)
    with Engine(images(10)) as engine:
        result = crawled(engine, root, workers=2)
    assert Counter(result.values()) == {"": 8, "unexpected MemoryError": 2}


@pytest.mark.parametrize("place", ["files", "ledger"])
def test_a_full_disk_ends_the_crawl_with_a_clear_word(root: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise UserError("the disk is full")

    target = {
        "files": "visionlab.gather.crawler.store.Incoming.keep",
        "ledger": "visionlab.gather.ledger.Ledger.fetched",
    }
    with Engine(images(20)) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(target[place], full)
            with pytest.raises(UserError, match="the disk is full"):
                crawled(engine, root)
        # nothing of that is taken for an outcome
        assert set(crawled(engine, root).values()) == {""}


def test_the_logging_of_the_program_is_left_alone(root: Path) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    with Engine(images(1)) as engine:
        crawled(engine, root)
    assert (logging.getLogger().handlers, logging.getLogger().level) == before


def test_nothing_sleeps(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    with Engine(images(5)) as engine, monkeypatch.context() as patch:
        patch.setattr(time, "sleep", slept.append)
        crawl(config_of(root.parent, []), root, Seen())
        crawl(config_of(root.parent, [engine.url("/gone"), engine.url("/robots.txt")]), root, Seen())
    assert slept == []


def when(condition: Callable[[], bool], do: Callable[[], object]) -> threading.Thread:
    """Do something as soon as the condition is met."""

    def wait() -> None:
        while not condition():
            time.sleep(0.005)
        do()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_an_interruption_ends_all_soon_and_the_next_crawl_goes_on(root: Path) -> None:
    plan = Plan((*images(100, seconds=0.01).items, *plan_of(**{f"drip{n}": Drip() for n in range(4)}).items))
    with Engine(plan) as engine:
        config = config_of(root.parent, reversed(urls(engine)), workers=6)
        thread = when(lambda: len(engine.requests) > 30, _thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt):
            crawl(config, root, Seen())
        stopped = time.monotonic()
        thread.join()
        assert max(request.time for request in engine.requests) > stopped - 20  # of the 60 that a download may take
        done = {find.link.url for find in open_ledger(root).finds(config) if find.fetch}
        assert 10 < len(done) < 100
        assert not any(find.fetch.reason for find in open_ledger(root).finds(config) if find.fetch)
        config = config_of(root.parent, urls(engine)[:100])
        crawl(config, root, Seen())
        assert len(contents(root, config)) == 100
        asked = Counter(engine.url(request.path) for request in engine.requests)
        assert all(asked[url] == 1 for url in done)


CHILD = """
import sys
from pathlib import Path
from tests.gather.crawls import Seen
from visionlab.config.gather import GatherConfig
from visionlab.gather.crawl import crawl
crawl(GatherConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Seen())
"""


@contextlib.contextmanager
def child(config: GatherConfig, root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that crawls."""
    with subprocess.Popen([sys.executable, "-c", CHILD, config.model_dump_json(), str(root)], cwd=ROOT) as process:
        yield process


def killed(config: GatherConfig, root: Path, engine: Engine, requests: int) -> set[str]:
    """Crawl in a process that is killed after so many more requests. The addresses that had an outcome by then."""
    until = len(engine.requests) + requests
    with child(config, root) as process:
        while len(engine.requests) < until and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    return {find.link.url for find in open_ledger(root).finds(config) if find.fetch}


def test_a_crawl_that_was_killed_goes_on_where_it_was(root: Path) -> None:
    with Engine(images(200, seconds=0.02)) as engine:
        config = config_of(root.parent, urls(engine), urls(engine)[:50], workers=8)
        crawl(config, root.parent / "at once", Seen())
        expected = contents(root.parent / "at once", config)
        engine.requests.clear()
        done = killed(config, root, engine, 100)
        crawl(config, root, Seen())
        assert contents(root, config) == expected
        asked = Counter(engine.url(request.path) for request in engine.requests)
        assert 50 < len(done) < 150
        assert {asked[url] for url in done} == {1}
        assert sum(asked[url] - 1 for url in urls(engine)) <= config.workers
        assert not any((root / ".gather/partial").iterdir())


@pytest.mark.slow
def test_however_often_it_is_killed_the_finds_are_the_same(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(mixed_plan()) as engine:
        config = GatherConfig.model_validate(
            {
                "name": "pets",
                "classes": {label: {"queries": queries} for label, queries in engine.plan.queries.items()},
                "endpoints": engine.endpoints(),
                "pages": engine.plan.pages(),
                "politeness": {**HERE, "download_seconds": 1, "max_megabytes": 2, "retries": 1},
            }
        )
        done: set[str] = set()
        for requests in (1, 3, 10, 40, 40, 60, 80):
            now = killed(config, root, engine, requests)
            assert done <= now
            done = now
        crawl(config, root, Seen())
        crawl(config, root.parent / "at once", Seen())

        def results(place: Path) -> list[tuple[Any, ...]]:
            finds = open_ledger(place).finds(config)
            return [(f.page, f.link, f.fetch and f.fetch.sha256, f.fetch and f.fetch.reason) for f in finds]

        failing = {url for url, item in engine.expected.items() if item.path.split("/")[2] == "odd"}
        pairs = zip(results(root), results(root.parent / "at once"), strict=True)
        assert not [pair for pair in pairs if pair[0] != pair[1] and pair[0][1].url not in failing]
