"""What tests of the crawl share: a list of addresses as the source, and a watch that counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gather.engine import Engine
from tests.gather.plans import Item, Plan
from tests.gather.replies import Connection, Fixed, Reply
from visionlab.config.gather import GatherConfig
from visionlab.gather.crawl import crawl, open_ledger

HERE: dict[str, Any] = {"allow_hosts": ["127.0.0.1"], "requests_per_second": 10_000}


@dataclass(frozen=True)
class Slow:
    """A reply that takes its time."""

    reply: Reply
    seconds: float

    def send(self, connection: Connection) -> bool:
        time.sleep(self.seconds)
        return self.reply.send(connection)


class Seen:
    """Counts what a crawl tells."""

    def __init__(self) -> None:
        self.found_for: Counter[str] = Counter()
        self.fetched_for: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.said: list[tuple[str, str]] = []

    def found(self, label: str) -> None:
        self.found_for[label] += 1

    def fetched(self, label: str) -> None:
        self.fetched_for[label] += 1

    def failed(self, label: str, reason: str) -> None:
        self.reasons[reason] += 1

    def source_said(self, name: str, text: str) -> None:
        self.said.append((name, text))


def plan_of(**replies: Reply) -> Plan:
    """Each reply under the path of its name."""
    return Plan(tuple(Item(f"/{name}", reply) for name, reply in replies.items()))


def images(number: int, seconds: float = 0.0) -> Plan:
    """So many different files."""
    return plan_of(**{f"i{index}": Slow(Fixed(b"image %d" % index), seconds) for index in range(number)})


def config_of(folder: Path, cat: Iterable[str], dog: Iterable[str] = (), **politeness: Any) -> GatherConfig:
    """Classes whose images are in lists of addresses. `workers` may be among the settings of politeness."""
    workers = politeness.pop("workers", 8)
    for name, urls in (("cat", cat), ("dog", dog)):
        (folder / f"{name}.txt").write_text("\n".join(urls))
    return GatherConfig.model_validate(
        {
            "name": "pets",
            "classes": {name: {"urls": str(folder / f"{name}.txt")} for name in ("cat", "dog")},
            "sources": [],
            "workers": workers,
            "politeness": {**HERE, **politeness},
        }
    )


def outcomes(root: Path, config: GatherConfig) -> dict[str, str]:
    """The reason of each address that was found, by the last part of its path; empty where it was fetched."""
    finds = open_ledger(root).finds(config)
    assert all(find.fetch is not None for find in finds)
    return {find.link.url.rpartition("/")[2]: find.fetch.reason for find in finds if find.fetch is not None}


def contents(root: Path, config: GatherConfig) -> dict[str, bytes]:
    """The file of each address that was fetched."""
    return {
        find.link.url.rpartition("/")[2]: (root / ".gather/files" / find.fetch.sha256).read_bytes()
        for find in open_ledger(root).finds(config)
        if find.fetch is not None and find.fetch.sha256
    }


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
