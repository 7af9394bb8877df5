"""Asks for pages, and reads what they name."""

from __future__ import annotations

import io
from typing import Any

import icrawler

from visionlab.gather.crawler.board import Board
from visionlab.gather.crawler.work import work
from visionlab.gather.links import Page
from visionlab.gather.web.jobs import Job
from visionlab.gather.web.visits import Visits


class Parser(icrawler.Parser):  # type: ignore[misc] # icrawler has no types
    """Threads that end with the lane of pages."""

    def __init__(self, thread_num: int, signal: Any, session: Any, board: Board, visits: Visits) -> None:
        super().__init__(thread_num, signal, session, out_queue=board.images)
        self._board, self._visits = board, visits

    def worker_exec(self) -> None:
        work(self.in_queue, self._board, self._step, self._board.page_failed)

    def _step(self, job: Job[Page]) -> bool:
        body = io.BytesIO()
        if job.address and not self._visits.make(self.in_queue, job, body):
            return False
        source = self._board.sources[job.item.source]
        self._board.page_done(job.item, source.parse(body.getvalue(), job.item))
        return True
