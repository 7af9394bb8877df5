"""Fetches images into the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import icrawler

from visionlab.gather.crawler.board import Board
from visionlab.gather.crawler.store import Incoming
from visionlab.gather.crawler.work import work
from visionlab.gather.web.client import CHUNK
from visionlab.gather.web.errors import TOO_LONG, FetchError
from visionlab.gather.web.jobs import Job
from visionlab.gather.web.visits import Visits

NOT_READABLE = "not readable"


class Downloader(icrawler.Downloader):  # type: ignore[misc] # icrawler has no types
    """Threads that end with the lane of images. `storage` is a Store."""

    def __init__(
        self, thread_num: int, signal: Any, session: Any, storage: Any, board: Board, visits: Visits, max_bytes: int
    ) -> None:
        super().__init__(thread_num, signal, session, storage)
        self._board, self._visits, self._max_bytes = board, visits, max_bytes

    def worker_exec(self) -> None:
        work(self.in_queue, self._board, self._step, self._failed)

    def _step(self, job: Job[str]) -> bool:
        incoming: Incoming = self.storage.incoming()
        try:
            if not job.address:
                self._copy(job.item, incoming)
            elif not self._visits.make(self.in_queue, job, incoming):
                return False
            self._board.fetched(job.item, incoming.keep(), incoming.bytes)
        finally:
            incoming.drop()
        return True

    def _failed(self, url: str, reason: str) -> None:
        self._board.fetched(url, reason=reason)

    def _copy(self, url: str, incoming: Incoming) -> None:
        for data in _chunks(Path(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))):
            if incoming.bytes + len(data) > self._max_bytes:
                raise FetchError(TOO_LONG)
            incoming.write(data)


def _chunks(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            while data := stream.read(CHUNK):
                yield data
    except OSError as error:
        raise FetchError(NOT_READABLE) from error
