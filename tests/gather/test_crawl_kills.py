from __future__ import annotations

import _thread
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
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
    urls,
)
from tests.gather.engine import Engine
from tests.gather.mixed_plan import mixed_plan
from tests.gather.plans import Plan
from tests.gather.replies import Drip
from visionlab.config.gather import GatherConfig
from visionlab.gather.crawl import crawl, open_ledger

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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
