from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.gather.crawls import (
    Seen,
    Slow,
    config_of,
    crawled,
    images,
    in_a_moment,
    outcomes,
    plan_of,
    urls,
)
from tests.gather.engine import Engine
from tests.gather.plans import Item, Plan
from tests.gather.replies import Closed, Fixed, InTurn, Redirect
from visionlab.gather.crawl import crawl

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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


def test_robots_txt_that_lies_elsewhere_is_asked_for_at_the_pace_of_that_place(root: Path) -> None:
    with Engine(images(6)) as one, Engine(images(1), robots=Redirect(one.url("/robots.txt"))) as other:
        config = config_of(root.parent, urls(one) + urls(other), requests_per_second=10)
        crawl(config, root, Seen())
        assert set(outcomes(root, config).values()) == {""}
        assert [request.path for request in other.requests] == ["/robots.txt", "/i0"]
        assert len(one.asked("/robots.txt")) == 2
        times = sorted(request.time for request in one.requests)
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= 0.1 - 0.05


def test_robots_txt_that_is_led_around_is_none(root: Path) -> None:
    with Engine(images(2), robots=Redirect("/robots.txt")) as engine:
        assert set(crawled(engine, root, requests_per_second=100).values()) == {""}
        assert Counter(request.path for request in engine.requests) == {"/robots.txt": 6, "/i0": 1, "/i1": 1}


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
