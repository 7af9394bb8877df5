from __future__ import annotations

import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.gather.crawls import (
    HERE,
    Seen,
    Slow,
    config_of,
    contents,
    crawled,
    images,
    in_a_moment,
    plan_of,
    urls,
)
from tests.gather.engine import Engine
from tests.gather.mixed_plan import NOT_FETCHED, mixed_plan
from tests.gather.replies import Fixed, InTurn, Reply
from visionlab.config.gather import ClassConfig, GatherConfig
from visionlab.errors import UserError
from visionlab.gather.crawl import crawl, open_ledger

PASSING = ("cut off", "not reachable", "private address", "too many bytes", "too slow")

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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


@pytest.mark.slow
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
        finds = open_ledger(root).finds(config)
        passing = {find.link.url for find in finds if find.fetch and find.fetch.reason in PASSING}
        assert passing
        for crawls in (2, 3, 4):
            engine.requests.clear()
            again = Seen()
            crawl(config, root, again)
            asked = {engine.url(request.path) for request in engine.requests} & set(engine.expected)
            assert asked == (passing if crawls <= 3 else set())
            assert vars(again) == vars(seen)


def test_many_more_addresses_than_threads_and_slow_images_lose_none(root: Path) -> None:
    with Engine(images(600, seconds=0.01)) as engine:
        result = crawled(engine, root, workers=8)
    assert result == {f"i{number}": "" for number in range(600)}
    assert len(engine.requests) == 601


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


def test_a_file_that_lost_its_bytes_is_put_right(root: Path) -> None:
    with Engine(images(3)) as engine:
        crawled(engine, root)
        files = sorted((root / ".gather/files").iterdir())
        before = [file.read_bytes() for file in files]
        (root / "link").hardlink_to(files[0])
        files[0].write_bytes(b"")
        crawled(engine, root)
        assert [file.read_bytes() for file in files] == before
        assert (root / "link").read_bytes() == b""  # not written to: it may be somebody else's
        assert len(engine.requests) == 1 + 3 + 2


def test_what_is_there_already_is_not_replaced(root: Path) -> None:
    with Engine(plan_of(one=Fixed(b"image"))) as engine, Engine(plan_of(two=Fixed(b"image"))) as other:
        crawled(engine, root)
        (file,) = (root / ".gather/files").iterdir()
        before = file.stat().st_ino
        crawl(config_of(root.parent, [*urls(engine), *urls(other)]), root, Seen())
        assert file.stat().st_ino == before


@pytest.mark.parametrize(
    ("reply", "first", "then"),
    [
        (Fixed(bytes(2_000_000)), {"max_megabytes": 1}, {"max_megabytes": 3}),
        (Slow(Fixed(b"image"), 0.4), {"download_seconds": 0.2}, {"download_seconds": 30}),
        (Fixed(b"image"), {"allow_hosts": []}, {}),
    ],
)
def test_other_settings_are_another_chance(
    root: Path, reply: Reply, first: dict[str, Any], then: dict[str, Any]
) -> None:
    with Engine(plan_of(one=reply)) as engine:
        for _ in range(4):
            assert crawled(engine, root, **first) != {"one": ""}
        assert crawled(engine, root, **then) == {"one": ""}
        before = len(engine.requests)
        assert crawled(engine, root, **first) == {"one": ""}
        assert len(engine.requests) == before


def test_a_host_that_is_up_again_is_asked_for_what_it_did_not_give(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_moment(monkeypatch)
    with Engine(plan_of(one=InTurn(Fixed(status=503), Fixed(b"image")), gone=Fixed(status=404))) as engine:
        assert crawled(engine, root, retries=0) == {"one": "HTTP 503", "gone": "HTTP 404"}
        assert crawled(engine, root, retries=0) == {"one": "", "gone": "HTTP 404"}
        assert Counter(request.path for request in engine.requests) == {"/robots.txt": 2, "/one": 2, "/gone": 1}


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
