"""Feeds the first page of each query."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import icrawler

from visionlab.errors import UserError
from visionlab.gather.crawler.board import Board
from visionlab.gather.crawler.work import unexpected
from visionlab.gather.links import Page
from visionlab.gather.web.traffic import Traffic


class Feeder(icrawler.Feeder):  # type: ignore[misc] # icrawler has no types
    """One thread, which ends when all pages are on the board."""

    def __init__(
        self, thread_num: int, signal: Any, session: Any, pages: Iterable[Page], board: Board, traffic: Traffic
    ) -> None:
        super().__init__(thread_num, signal, session)
        self.out_queue = board.pages
        self._pages, self._board, self._traffic = pages, board, traffic

    def worker_exec(self) -> None:
        with self._traffic.open():
            for page in self._pages:
                try:
                    self._feed(page)
                except UserError as error:
                    self._board.fail(error)
                    return

    def _feed(self, page: Page) -> None:
        try:
            self._board.begin(page)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken source must not cost the others
            self._board.page_failed(page, unexpected(error))
