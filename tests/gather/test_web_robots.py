from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.gather.crawls import HERE, plan_of
from tests.gather.engine import Engine
from tests.gather.replies import Closed, Endless, Fixed, Redirect, Reply
from visionlab.config.gather import PolitenessConfig
from visionlab.gather.web.client import Client
from visionlab.gather.web.errors import FetchError
from visionlab.gather.web.robots import Rules, read_rules

AGENT = "VisionLab/1 (somebody)"


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(PolitenessConfig(**HERE, max_megabytes=1), requests.Session(), 1)
    yield client
    client.close()


def rules_of(client: Client, robots: str | Reply) -> Rules:
    with Engine(plan_of(other=Fixed(b"User-agent: *\nDisallow: /other")), robots=robots) as engine:
        return read_rules(client, engine.base, AGENT)


def objections(rules: Rules, *paths: str) -> list[str]:
    return [rules.objection_to(f"http://127.0.0.1/{path}") for path in paths]


def test_the_rules_for_this_visitor_count(client: Client) -> None:
    robots = "User-agent: *\nDisallow: /\n\nUser-agent: visionlab\nDisallow: /private/*.jpg$\nCrawl-delay: 2.5\n"
    rules = rules_of(client, robots)
    assert objections(rules, "a.jpg", "private/a.jpg", "private/a.png") == ["", "robots.txt forbids", ""]
    assert rules.delay == 2.5
    assert objections(rules_of(client, "User-agent: *\nDisallow: /"), "a.jpg") == ["robots.txt forbids"]
    assert objections(rules_of(client, "User-agent: python-requests\nDisallow: /"), "a.jpg") == [""]


@pytest.mark.parametrize("delay", ["1e9", "86400"])
def test_a_delay_beyond_all_measure_is_cut(client: Client, delay: str) -> None:
    assert rules_of(client, f"User-agent: *\nCrawl-delay: {delay}").delay == 30


@pytest.mark.parametrize("delay", ["-1", "inf", "nan", "soon", ""])
def test_a_delay_that_is_none_counts_for_none(client: Client, delay: str) -> None:
    assert rules_of(client, f"User-agent: *\nCrawl-delay: {delay}").delay == 0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_without_rules_all_is_allowed(client: Client, status: int) -> None:
    assert objections(rules_of(client, Fixed(b"User-agent: *\nDisallow: /", status=status)), "a.jpg") == [""]


@pytest.mark.parametrize("robots", ["", "<!doctype html><p>Not found", "\ufeffnonsense\0", Fixed(b"\xff\xfe\x00")])
def test_what_is_no_robots_txt_forbids_nothing(client: Client, robots: str | Reply) -> None:
    assert objections(rules_of(client, robots), "a.jpg") == [""]


def test_a_byte_order_mark_does_not_hide_the_first_line(client: Client) -> None:
    assert objections(rules_of(client, "\ufeffUser-agent: *\nDisallow: /"), "a.jpg") == ["robots.txt forbids"]


@pytest.mark.parametrize("robots", [Fixed(status=500), Fixed(status=503), Fixed(status=429), Closed()])
def test_rules_that_cannot_be_had_now_may_be_had_later(client: Client, robots: Reply) -> None:
    with pytest.raises(FetchError) as caught:
        rules_of(client, robots)
    assert caught.value.passing


def test_redirects_are_followed(client: Client) -> None:
    assert objections(rules_of(client, Redirect("/other")), "other", "a.jpg") == ["robots.txt forbids", ""]
    assert objections(rules_of(client, Redirect("/robots.txt")), "a.jpg") == [""]
    assert objections(rules_of(client, Redirect("ftp://a.example/")), "a.jpg") == ["robots.txt not reachable"]


def test_a_host_on_the_inside_is_named_as_such(client: Client) -> None:
    assert objections(read_rules(client, "http://localhost:1", AGENT), "a.jpg") == ["private address"]


def test_of_an_endless_file_the_beginning_counts(client: Client) -> None:
    assert objections(rules_of(client, Endless()), "a.jpg") == [""]
    long = "User-agent: *\nDisallow: /a\n" + "# long\n" * 100_000 + "Disallow: /b\n"
    assert objections(rules_of(client, long), "a", "b") == ["robots.txt forbids", ""]


def test_what_a_parser_breaks_on_keeps_us_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(content: str) -> None:
        raise RecursionError

    monkeypatch.setattr("visionlab.gather.web.robots.Protego.parse", broken)
    assert objections(rules_of(client, ""), "a.jpg") == ["robots.txt not reachable"]
