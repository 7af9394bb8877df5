from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gather.crawls import HERE
from tests.gather.engine import Engine
from tests.gather.mixed_plan import QUERIES
from tests.gather.plans import Item, Plan
from tests.gather.replies import Closed, Fixed, Redirect
from visionlab.config.gather import GatherConfig
from visionlab.gather import probe as module
from visionlab.gather.probe import ProbeResult, probe

FIRST = QUERIES["cat"][0]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    found = tuple((name, FIRST) for name in ("openverse", "bing"))
    plan = Plan(tuple(Item(f"/{number}.jpg", Fixed(b"image"), found_by=found) for number in range(3)))
    with Engine(plan) as engine:
        yield engine


def config_of(engine: Engine, **settings: object) -> GatherConfig:
    classes = {label: {"queries": queries} for label, queries in QUERIES.items()}
    usual = {"name": "pets", "classes": classes, "endpoints": engine.endpoints(), "politeness": HERE}
    return GatherConfig.model_validate(usual | settings)


def by_source(config: GatherConfig) -> dict[str, ProbeResult]:
    return {result.source: result for result in probe(config)}


def test_each_source_is_asked_for_one_page(engine: Engine) -> None:
    results = by_source(config_of(engine))
    assert {name: (result.links, result.error) for name, result in results.items()} == {
        "openverse": (3, ""),
        "bing": (3, ""),
        "google": (0, "no links on the page"),
        "flickr": (0, "FLICKR_API_KEY is not set"),
    }
    pages = [request.path for request in engine.requests if request.path != "/robots.txt"]
    assert [path.split("/")[1] for path in pages] == ["openverse", "bing", "google"]
    assert all("tabby" in path for path in pages)


def test_lists_and_folders_are_read(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("http://a.example/1.jpg\n")
    (tmp_path / "photos").mkdir()
    classes = {"cat": {"urls": str(tmp_path / "urls.txt")}, "dog": {"folder": str(tmp_path / "photos")}}
    results = by_source(config_of(engine, classes=classes, sources=[]))
    assert results["urls"] == ProbeResult("urls", 1)
    assert results["folder"] == ProbeResult("folder", 0, "no links on the page")


@pytest.mark.parametrize(
    ("robots", "wanted", "error"),
    [
        (Fixed(b"User-agent: *\nDisallow: /bing"), "obey", "robots.txt forbids"),
        (Fixed(b"User-agent: *\nDisallow: /bing"), "ignore", ""),
        (Closed(), "obey", "robots.txt not reachable"),
        (Redirect("http://localhost/robots.txt"), "obey", "private address"),
    ],
)
def test_robots_txt_binds_if_it_shall(engine: Engine, robots: Fixed, wanted: str, error: str) -> None:
    engine.robots = robots
    assert by_source(config_of(engine, search_robots=wanted))["bing"].error == error


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [("http://127.0.0.1:1/", "robots.txt not reachable"), ("http://localhost/", "private address")],
)
def test_an_endpoint_that_cannot_be_asked(engine: Engine, endpoint: str, error: str) -> None:
    config = config_of(engine, endpoints={"bing": endpoint}, sources=["bing"])
    assert by_source(config)["bing"].error == error


def test_a_broken_parser_is_an_error_and_no_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, left_out = module.make_sources(config_of(engine))

    def broken(self: object, body: bytes, page: object) -> None:
        raise AttributeError

    monkeypatch.setattr(type(sources[1]), "parse", broken)
    results = by_source(config_of(engine))
    assert results["bing"].error == "unexpected AttributeError"
    assert results["openverse"].links == 3
    assert set(left_out) == {"flickr"}
