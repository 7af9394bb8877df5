"""Finds images on the web and fetches them, and goes on where an earlier crawl has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from visionlab.config.gather import GatherConfig
from visionlab.errors import UserError
from visionlab.gather.crawler.board import Board, Watch
from visionlab.gather.crawler.crawler import Crawler
from visionlab.gather.crawler.store import Store
from visionlab.gather.crawler.work import unexpected
from visionlab.gather.ledger import Ledger
from visionlab.gather.links import Page
from visionlab.gather.placing import HIDDEN
from visionlab.gather.sources.registry import make_sources
from visionlab.gather.sources.source import Source
from visionlab.gather.web.traffic import Traffic

FILE_NAME = "crawl.jsonl"


def crawl(config: GatherConfig, root: Path, watch: Watch) -> None:
    """Fetch what can be found into `root`/.gather, and record it in the ledger there.

    What an earlier call has asked for is not asked for again, but for pages that could not be had and what was under
    way when it was killed. Images that could not be had get another chance, if they may get one (see `ledger`). One
    process at a time.

    Args:
        config: what to gather, and how.
        root: the folder of the data set.
        watch: is told how it goes.

    Raises:
        UserError: a list or a folder is not there, or `root` cannot be written to.
    """
    sources, left_out = make_sources(config)
    for name, reason in left_out.items():
        watch.source_said(name, reason)
    pages = list(_first_pages(config, sources, watch))
    store = Store(root / HIDDEN)
    ledger = open_ledger(root)
    ledger.reopen(store.sizes(), config.politeness)
    traffic = Traffic(config.politeness.requests_per_second)
    board = Board(config, sources, ledger, watch, traffic)
    try:
        Crawler(config, pages, board, traffic, store).crawl()
    finally:
        ledger.close()


def open_ledger(root: Path) -> Ledger:
    """The ledger of a data set.

    Args:
        root: the folder of the data set.

    Raises:
        UserError: a line of it is no record.
    """
    return Ledger(root / HIDDEN / FILE_NAME)


def _first_pages(config: GatherConfig, sources: Iterable[Source], watch: Watch) -> Iterator[Page]:
    for source in sources:
        for label, wanted in config.classes.items():
            try:
                yield from source.pages(label, wanted)
            except UserError:
                raise
            except Exception as error:  # noqa: BLE001 - a broken source must not cost the others
                watch.source_said(source.name, unexpected(error))
