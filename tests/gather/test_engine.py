"""The search engine of the tests is what the others rely on: its pages, its images, and how it fails."""

from __future__ import annotations

import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import imagehash
import numpy as np
import pytest
import requests
from icrawler.builtin.bing import BingParser
from icrawler.builtin.google import GoogleParser
from PIL import Image

from tests.gather.engine import Engine
from tests.gather.mixed_plan import KINDS, NOT_FETCHED, REJECTED, mixed_plan
from tests.gather.pictures import encoded, picture
from tests.gather.plans import Item, Plan
from tests.gather.replies import Closed, CutShort, Drip, Endless, Fixed, InTurn, Redirect
from tests.gather.result_pages import FLICKR_KEY
from visionlab.config.gather import GatherConfig
from visionlab.gather.links import Page
from visionlab.gather.sources.registry import make_sources

ROOT = Path(__file__).parents[2]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(mixed_plan()) as engine:
        yield engine


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def config_of(engine: Engine) -> GatherConfig:
    classes = {label: {"queries": queries} for label, queries in engine.plan.queries.items()}
    return GatherConfig.model_validate({"name": "pets", "classes": classes, "endpoints": engine.endpoints()})


def everything_found(engine: Engine, web: requests.Session) -> dict[str, set[tuple[str, str]]]:
    """Where the sources find each address: by which search engine, for which query."""
    found = defaultdict(set)
    config = config_of(engine)
    for source, label in itertools.product(make_sources(config)[0], config.classes):
        for first in source.pages(label, config.classes[label]):
            for number in itertools.count():
                page = Page(first.source, first.label, first.query, number)
                links = source.parse(web.get(source.address(page)).content, page)
                if not links:
                    break
                assert all(link.page_url.startswith("https://") for link in links)
                for link in links:
                    found[link.url].add((source.name, page.query))
            assert number <= engine.plan.pages()
    return found


def test_the_sources_find_all_that_is_to_be_found_and_nothing_else(
    engine: Engine, web: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", FLICKR_KEY)
    found = everything_found(engine, web)
    assert found == {url: set(item.found_by) for url, item in engine.expected.items()}
    assert engine.plan.pages() > 1
    monkeypatch.delenv("FLICKR_API_KEY")
    assert everything_found(engine, web).keys() == engine.expected.keys()


@pytest.mark.parametrize(("source", "parser"), [("bing", BingParser), ("google", GoogleParser)])
def test_icrawler_s_own_parsers_read_the_pages(
    source: str, parser: type, engine: Engine, web: requests.Session
) -> None:
    query = engine.plan.queries["dog"][1]
    (ours,) = [one for one in make_sources(config_of(engine))[0] if one.name == source]
    page = Page(source, "dog", query)
    body = web.get(ours.address(page)).content
    stock = parser.__new__(parser)  # a parser that is no part of a crawl
    found = {task["file_url"] for task in stock.parse(SimpleNamespace(content=body))}
    assert len(found & {link.url for link in ours.parse(body, page)}) >= 5  # the others it cuts, or passes over


def test_all_kinds_occur_in_both_classes(engine: Engine) -> None:
    kinds = defaultdict(set)
    for item in engine.expected.values():
        kinds[item.kind] |= {query for _, query in item.found_by}
    assert kinds.keys() == set(KINDS)
    assert all(queries & set(asked) for queries in kinds.values() for asked in engine.plan.queries.values())


def looks(data: bytes) -> str:
    """What is wrong with an image; empty where it is nothing that one image tells."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except Image.UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return "bomb"
    except OSError:
        return "truncated"
    signs = {
        "tiny": min(image.size) < 64,
        "aspect": max(image.size) > 4 * min(image.size),
        "animated": getattr(image, "n_frames", 1) > 1,
        "blank": np.asarray(image.convert("L")).std() < 1,
    }
    return " ".join(name for name, there in signs.items() if there)


def test_the_images_are_what_the_plan_says(engine: Engine, web: requests.Session) -> None:
    broken = ("truncated", "bomb", "tiny", "aspect", "blank", "animated", "not an image")
    assert set(broken) < set(REJECTED)
    for url, item in engine.expected.items():
        if item.kind not in NOT_FETCHED and "/odd/" not in item.path:
            assert looks(web.get(url).content) == (item.kind if item.kind in broken else ""), item.path


def test_odd_images_are_good_in_the_end(engine: Engine, web: requests.Session) -> None:
    modes = {}
    for url, item in engine.expected.items():
        if "/cat/odd/" in item.path and "hung_up" not in item.path:
            answer = web.get(url)
            while answer.status_code != 200:
                answer = web.get(url)
            image = Image.open(io.BytesIO(answer.content))
            image.load()
            modes[Path(item.path).stem] = image.mode
            assert item.kind == "good"
            assert image.size == ((360, 480) if "exif" in item.path else (480, 360))
    assert modes.items() >= {"cmyk": "CMYK", "16bit": "I;16", "grey": "L", "palette": "P", "alpha": "RGBA"}.items()
    (exif,) = [url for url in engine.expected if "/cat/odd/exif" in url]
    assert Image.open(io.BytesIO(web.get(exif).content)).getexif()[0x0112] == 6


def test_pictures_differ_unless_they_are_of_a_group(engine: Engine, web: requests.Session) -> None:
    hashes, groups = [], []
    for url, item in engine.expected.items():
        if item.kind in ("good", "exact duplicate", "near duplicate", "class conflict") and "/odd/" not in item.path:
            image = Image.open(io.BytesIO(web.get(url).content)).convert("RGB")
            hashes.append(imagehash.phash(image).hash.ravel())
            groups.append(item.group or url)
    for images in engine.plan.held_out.values():
        hashes += [imagehash.phash(Image.open(io.BytesIO(data))).hash.ravel() for data in images.values()]
        groups += list(images.values())
    distances = (np.array(hashes)[:, None] != np.array(hashes)[None]).sum(-1)
    same = np.array([[one == other for other in groups] for one in groups])
    assert distances[same].max() <= 4
    assert distances[~same].min() >= 12


def test_copies_of_held_out_images_come_in_all_forms(tmp_path: Path, engine: Engine) -> None:
    engine.write_held_out(tmp_path)
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.jpg")}
    assert sorted(files) == [f"{label}/{number}.jpg" for label in ("cat", "dog") for number in range(3)]
    leaks = [item for item in engine.plan.items if item.kind == "leak"]
    assert len({item.group for item in leaks}) == 6
    assert sum(item.reply.body in files.values() for item in leaks if isinstance(item.reply, Fixed)) == 6


def test_every_request_is_written_down(web: requests.Session) -> None:
    robots = "User-agent: *\nDisallow: /bing\n"
    with Engine(Plan((Item("/a.jpg", Fixed(b"a")),)), robots=robots) as engine:
        assert web.get(engine.url("/a.jpg?x=1")).status_code == 404
        assert web.get(engine.url("/a.jpg"), headers={"User-Agent": "me/1"}).content == b"a"
        assert web.get(engine.url("/robots.txt")).text == robots
        engine.robots = Fixed(status=503)
        assert web.get(engine.url("/robots.txt")).status_code == 503
        assert [request.path for request in engine.requests] == ["/a.jpg?x=1", "/a.jpg", "/robots.txt", "/robots.txt"]
        assert engine.requests[1].agent == "me/1"
        assert engine.requests[1].host == engine.base.removeprefix("http://")
        assert engine.requests[0].time <= engine.requests[1].time <= time.monotonic()
        assert len(engine.asked("/a.jpg")) == 2


def test_pages_that_are_refused(engine: Engine, web: requests.Session) -> None:
    answer = web.get(engine.url("/openverse/"), params={"q": "puppy", "page_size": 500})
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])
    answer = web.get(engine.url("/flickr/"), params={"text": "puppy", "api_key": "wrong"})
    assert answer.json()["stat"] == "fail"


def test_ways_to_answer_badly(web: requests.Session) -> None:
    replies = {
        "closed": Closed(),
        "short": CutShort(b"abc"),
        "loop": Redirect("/loop"),
        "turns": InTurn(Fixed(status=429, headers={"Retry-After": "1"}), Fixed(status=503), Fixed(b"yes")),
        "away": Redirect("http://localhost:{port}/turns", 301),
    }
    with Engine(Plan(tuple(Item(f"/{name}", reply) for name, reply in replies.items()))) as engine:
        with pytest.raises(requests.ConnectionError):
            web.get(engine.url("/closed"))
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            web.get(engine.url("/short"))
        with pytest.raises(requests.TooManyRedirects):
            web.get(engine.url("/loop"))
        answers = [web.get(engine.url("/turns")) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [429, 503, 200, 200]
        assert answers[0].headers["Retry-After"] == "1"
        assert web.get(engine.url("/away")).content == b"yes"
        assert engine.requests[-1].host.startswith("localhost:")


def test_answers_without_an_end(web: requests.Session) -> None:
    items = (Item("/slow", Drip(pause=0.01)), Item("/slower", Drip(True, 0.01)), Item("/endless", Endless()))
    with Engine(Plan(items)) as engine:
        with web.get(engine.url("/slow"), stream=True) as answer:
            assert answer.raw.read(5) == b"....."
            assert answer.headers["Content-Length"] == str(1 << 20)
        with socket.create_connection(engine.base.removeprefix("http://").split(":")) as client:
            client.sendall(b"GET /slower HTTP/1.1\r\n\r\n")
            received = b""
            while not received.endswith(b"X-Slow: ..."):
                received += client.recv(1)
        with web.get(engine.url("/endless"), stream=True) as answer:
            assert sum(len(answer.raw.read(1 << 16)) for _ in range(32)) == 1 << 21


def test_nobody_hears_from_an_engine_that_has_ended(web: requests.Session) -> None:
    with Engine(Plan((Item("/a.jpg", Fixed(b"a")), Item("/slow", Drip())))) as engine:
        web.get(engine.url("/a.jpg"))
        slow = web.get(engine.url("/slow"), stream=True)
    with pytest.raises(requests.ConnectionError):
        web.get(engine.url("/a.jpg"))
    with pytest.raises(requests.RequestException):
        slow.content  # noqa: B018 - reads


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label, number in itertools.product(("cat", "dog"), range(60)):
        file = tmp_path / "photos" / label / f"{label} {number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(number, (16, 16))) + f"{label} {number}".encode())
    return tmp_path / "photos"


def test_a_folder_of_photos(photos: Path, web: requests.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    with Engine.of_folder(photos) as engine:
        found = everything_found(engine, web)
        assert len(found) == 120
        assert any(len({query for _, query in places}) > 1 for places in found.values())
        assert {web.get(url).content for url in found} == {file.read_bytes() for file in photos.rglob("*.jpg")}


def test_the_engine_on_the_command_line(photos: Path) -> None:
    command = [sys.executable, "-m", "tests.gather.engine", str(photos)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        overrides = dict(word.split("=", 1) for word in process.stdout.readline().split())
        assert overrides["gather.politeness.allow_hosts"] == "[127.0.0.1]"
        assert overrides["gather.pages"] == "1"
        page = requests.get(overrides["gather.endpoints.bing"], params={"q": "kitten", "first": 1}).text
        assert page.count("/photos/cat/") >= 1
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
