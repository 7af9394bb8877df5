"""Brings feeder, parser and downloader together."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

import icrawler
from icrawler.utils import ProxyPool, Session

from visionlab.config.gather import GatherConfig
from visionlab.gather.crawler.board import Board
from visionlab.gather.crawler.downloader import Downloader
from visionlab.gather.crawler.feeder import Feeder
from visionlab.gather.crawler.parser import Parser
from visionlab.gather.crawler.store import Store
from visionlab.gather.links import Page
from visionlab.gather.web.client import Client
from visionlab.gather.web.traffic import Traffic
from visionlab.gather.web.visits import Visits

ATTENTION = 0.5  # seconds after which an interruption is noticed that another thread has sent
PATIENCE = 5.0  # seconds that threads get to end after an interruption; one may hang in a look-up of a name


class Crawler(icrawler.Crawler):  # type: ignore[misc] # icrawler has no types
    """A crawl that ends as soon as all is done, and loses nothing on the way.

    Args:
        config: what to gather, and how.
        pages: the first of each query.
        board: of the crawl.
        traffic: that the lanes of the board belong to.
        store: for the files.
    """

    def __init__(
        self, config: GatherConfig, pages: Iterable[Page], board: Board, traffic: Traffic, store: Store
    ) -> None:
        self._board, self._traffic = board, traffic
        self.session = Session(ProxyPool())
        self._client = Client(config.politeness, self.session, config.workers + board.parsers)
        visits = Visits(self._client, traffic, config.politeness)
        super().__init__(
            Feeder,
            Parser,
            Downloader,
            parser_threads=board.parsers,
            downloader_threads=config.workers,
            storage=store,
            extra_feeder_args={"pages": pages, "board": board, "traffic": traffic},
            extra_parser_args={"board": board, "visits": visits},
            extra_downloader_args={
                "board": board,
                "visits": visits,
                "max_bytes": int(config.politeness.max_megabytes * 1e6),
            },
        )

    def crawl(self) -> None:
        """Crawl to the end.

        Raises:
            UserError: files or records cannot be written.
        """
        pools = (self.feeder, self.parser, self.downloader)
        deadline = None
        try:
            for pool in pools:
                pool.start()
            while not self._traffic.finished.wait(ATTENTION):
                pass
        except BaseException:
            deadline = time.monotonic() + PATIENCE
            raise
        finally:
            # nothing is left to do, or nothing of what is under way shall be recorded
            self._board.stop()
            self._client.stop()
            for worker in [worker for pool in pools for worker in pool.workers if worker.ident is not None]:
                worker.join(None if deadline is None else max(deadline - time.monotonic(), 0.0))
            self._client.close()
        if self._board.failure is not None:
            raise self._board.failure

    # of the base class: it would set up the logging of the whole program, cookies and a browser's name, image files

    def set_logger(self, log_level: int = logging.INFO) -> None:
        self.logger = logging.getLogger(icrawler.__name__)

    def set_session(self, headers: Any = None) -> None:
        self.proxy_pool = self.session.proxy_pool

    def set_storage(self, storage: Store) -> None:
        self.storage = storage
