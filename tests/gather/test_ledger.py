from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from visionlab.config.gather import GatherConfig, PolitenessConfig
from visionlab.errors import UserError
from visionlab.gather.ledger import Ledger
from visionlab.gather.links import Fetch, Find, Link, Page

CONFIG = GatherConfig.model_validate(
    {
        "name": "pets",
        "classes": {"cat": {"queries": ["tabby", "kitten"]}, "dog": {"queries": ["puppy"], "folder": "/photos"}},
        "sources": ["google", "bing"],
        "pages": 2,
    }
)
POLITENESS = PolitenessConfig()
PAGE = Page("bing", "cat", "tabby")
FETCHED = Fetch(1, "ab" * 32, 5)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".gather/crawl.jsonl"


def test_what_was_recorded_is_read_again(file: Path) -> None:
    ledger = Ledger(file)
    links = [Link("http://a/1.jpg", "http://a/", "by"), Link("http://a/2.jpg")]
    ledger.page_done(PAGE, links)
    ledger.page_failed(Page("bing", "cat", "kitten"), "HTTP 403")
    ledger.fetched("http://a/1.jpg", FETCHED)
    ledger.fetched("http://a/2.jpg", Fetch(2, reason="HTTP 404"))
    for read in (ledger, Ledger(file)):
        assert read.links(PAGE) == tuple(links)
        assert read.links(Page("bing", "cat", "kitten")) is None
        assert read.fetch("http://a/1.jpg") == FETCHED
        assert read.fetch("http://a/2.jpg") == Fetch(2, reason="HTTP 404")
        assert read.fetch("http://a/3.jpg") is None


def test_nothing_is_made_by_looking(file: Path) -> None:
    assert Ledger(file).finds(CONFIG) == []
    assert not file.parent.exists()


def test_what_is_behind_the_hash_makes_no_other_address(file: Path) -> None:
    ledger = Ledger(file)
    ledger.fetched("http://a/1.jpg#top", FETCHED)
    assert ledger.fetch("http://a/1.jpg#bottom") == FETCHED
    assert ledger.fetch("http://a/1.jpg?x=1") is None


def test_the_last_line_about_a_page_counts(file: Path) -> None:
    ledger = Ledger(file)
    ledger.page_failed(PAGE, "HTTP 500")
    ledger.page_done(PAGE, [Link("http://a/1.jpg")])
    assert Ledger(file).links(PAGE) == (Link("http://a/1.jpg"),)
    ledger.page_failed(PAGE, "HTTP 500")
    assert Ledger(file).links(PAGE) is None


def test_a_list_that_has_not_changed_is_not_written_again(file: Path) -> None:
    ledger = Ledger(file)
    for _ in range(3):
        ledger.page_done(PAGE, [Link("http://a/1.jpg")])
    assert len(file.read_text().splitlines()) == 1


def test_finds_stand_in_the_order_of_the_configuration_whatever_came_first(file: Path) -> None:
    pages = [
        Page("google", "cat", "tabby", 0), Page("google", "cat", "tabby", 1), Page("google", "cat", "kitten"),
        Page("google", "dog", "puppy"), Page("bing", "cat", "tabby"), Page("bing", "dog", "puppy"),
        Page("folder", "dog", "/photos"),
    ]  # fmt: skip
    links = {page: [Link(f"http://a/{rank}-{place}.jpg") for place in (3, 1, 2)] for rank, page in enumerate(pages)}
    links[pages[-1]] = [Link("file:///photos/a.jpg")]
    expected = [Find(page, link) for page in pages for link in links[page]]
    for seed in range(5):
        file.unlink(missing_ok=True)
        ledger = Ledger(file)
        for page in random.Random(seed).sample(pages, len(pages)):
            ledger.page_done(page, links[page])
        assert ledger.finds(CONFIG) == expected


def test_what_is_not_to_be_gathered_any_more_is_no_find(file: Path) -> None:
    ledger = Ledger(file)
    for page in (
        Page("flickr", "cat", "tabby"), Page("bing", "bird", "tabby"), Page("bing", "cat", "puppy"),
        Page("bing", "cat", "tabby", 2), Page("folder", "dog", "/other"),
    ):  # fmt: skip
        ledger.page_done(page, [Link("http://a/1.jpg")])
    assert ledger.finds(CONFIG) == []


def test_an_address_of_two_classes_is_two_finds_with_one_fetch(file: Path) -> None:
    ledger = Ledger(file)
    pages = [PAGE, Page("bing", "dog", "puppy")]
    for page in pages:
        ledger.page_done(page, [Link("http://a/1.jpg")])
    ledger.fetched("http://a/1.jpg", FETCHED)
    assert ledger.finds(CONFIG) == [Find(page, Link("http://a/1.jpg"), FETCHED) for page in pages]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:,x", "javascript:alert()"])
def test_only_a_folder_may_name_files(file: Path, url: str) -> None:
    ledger = Ledger(file)
    ledger.page_done(PAGE, [Link(url)])
    (find,) = ledger.finds(CONFIG)
    assert find.fetch is not None
    assert find.fetch.reason == "not an http address"


def test_files_that_are_gone_get_another_chance(file: Path) -> None:
    ledger = Ledger(file)
    for name, fetch in {"here": Fetch(1, "a", 5), "gone": Fetch(1, "b", 5), "short": Fetch(1, "c", 5)}.items():
        ledger.fetched(f"http://a/{name}", fetch)
    ledger.fetched("http://a/no", Fetch(1, reason="HTTP 404"))
    ledger.reopen({"a": 5, "c": 4}, POLITENESS)
    assert [name for name in ("here", "gone", "short", "no") if ledger.fetch(f"http://a/{name}")] == ["here", "no"]


FOR_GOOD = (
    "HTTP 404", "HTTP 403", "HTTP 410", "HTTP 304", "not an http address", "too many redirects", "robots.txt forbids",
)  # fmt: skip
PASSING = (
    "HTTP 408", "HTTP 425", "HTTP 429", "HTTP 500", "HTTP 503", "not reachable", "too slow", "cut off", "not readable",
    "private address", "too many bytes", "no valid certificate", "host given up", "robots.txt not reachable",
)  # fmt: skip


@pytest.mark.parametrize("reason", [*FOR_GOOD, *PASSING])
def test_what_may_be_passing_is_tried_by_three_crawls_with_the_same_settings(file: Path, reason: str) -> None:
    url, others = "http://a/1.jpg", POLITENESS.model_copy(update={"max_megabytes": 30.0})

    def crawls(settings: PolitenessConfig) -> int:
        """How many of five fetch the address."""
        number = 0
        for _ in range(5):
            ledger = Ledger(file)
            ledger.reopen({}, settings)
            if ledger.fetch(url) is None:
                number += 1
                ledger.fetched(url, Fetch(number, reason=reason))
            assert ledger.fetch(url) is not None
            ledger.close()
        return number

    assert crawls(POLITENESS) == (1 if reason in FOR_GOOD else 3)
    assert crawls(others) == (0 if reason in FOR_GOOD else 3)
    assert crawls(POLITENESS) == 0


def test_a_crawl_that_was_killed_leaves_the_outcome_of_the_one_before(file: Path) -> None:
    ledger = Ledger(file)
    ledger.page_done(PAGE, [Link("http://a/1.jpg")])
    ledger.fetched("http://a/1.jpg", Fetch(1, reason="too slow"))
    Ledger(file).reopen({}, POLITENESS)
    assert [find.fetch for find in Ledger(file).finds(CONFIG)] == [Fetch(1, reason="too slow")]


def test_an_address_whose_host_was_not_asked_keeps_the_reason_that_it_had(file: Path) -> None:
    ledger = Ledger(file)
    for time, reason in enumerate(("host given up", "too slow", "host given up"), start=1):
        ledger.fetched("http://a/1.jpg", Fetch(time, reason=reason))
    assert Ledger(file).fetch("http://a/1.jpg") == Fetch(3, reason="too slow")
    ledger = Ledger(file)
    ledger.reopen({}, POLITENESS)
    ledger.fetched("http://a/1.jpg", FETCHED)
    assert Ledger(file).fetch("http://a/1.jpg") == FETCHED


@pytest.mark.parametrize("torn", [1, 10, 30])
def test_a_line_that_was_torn_is_dropped_and_the_next_one_is_whole(file: Path, torn: int) -> None:
    ledger = Ledger(file)
    ledger.fetched("http://a/1.jpg", FETCHED)
    ledger.fetched("http://a/2.jpg", FETCHED)
    os.truncate(file, file.stat().st_size - torn)
    left = file.read_bytes()
    ledger = Ledger(file)
    assert file.read_bytes() == left  # another process may be writing
    assert ledger.fetch("http://a/1.jpg") == FETCHED
    assert ledger.fetch("http://a/2.jpg") is None
    ledger.fetched("http://a/3.jpg", FETCHED)
    assert Ledger(file).fetch("http://a/3.jpg") == FETCHED


@pytest.mark.parametrize("line", [b"nonsense", b"[]", b'{"kind": "page"}', b'{"url": "x"}', b"\xff\xfe"])
def test_a_line_that_is_no_record_is_told_with_its_number(file: Path, line: bytes) -> None:
    Ledger(file).fetched("http://a/1.jpg", FETCHED)
    file.write_bytes(file.read_bytes() + line + b"\n")
    with pytest.raises(UserError, match=r"line 2 of .*crawl.jsonl: expected a record of a crawl"):
        Ledger(file)


def test_names_that_are_no_unicode_survive(file: Path) -> None:
    page = Page("folder", "dog", "/photos\udcff")
    Ledger(file).page_done(page, [Link("file:///photos%FF/a.jpg")])
    assert Ledger(file).links(page) is not None
    assert all(json.loads(line) for line in file.read_text().splitlines())


def test_a_full_disk_is_told_and_leaves_no_half_line(file: Path) -> None:
    class Full:
        def __init__(self, file: Path) -> None:
            self.stream = file.open("ab", buffering=0)

        def write(self, data: bytes) -> int:
            return self.stream.write(data[:10])

        def __getattr__(self, name: str) -> object:
            return getattr(self.stream, name)

    ledger = Ledger(file)
    ledger.fetched("http://a/1.jpg", FETCHED)
    assert ledger._journal is not None
    ledger._journal._stream = Full(file)  # type: ignore[assignment]
    with pytest.raises(UserError, match="No space left on device"):
        ledger.fetched("http://a/2.jpg", FETCHED)
    assert ledger.fetch("http://a/2.jpg") is None
    assert Ledger(file).fetch("http://a/1.jpg") == FETCHED
    assert len(file.read_bytes().splitlines()) == 1
