"""What the threads of a crawl tell each other: which pages to ask for, which addresses to fetch, what came of them."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from visionlab.config.gather import GatherConfig
from visionlab.gather.ledger import LOCAL, Ledger, may_follow
from visionlab.gather.links import Fetch, Link, Page
from visionlab.gather.sources.source import Source
from visionlab.gather.web.addresses import identity, is_http
from visionlab.gather.web.errors import NOT_HTTP
from visionlab.gather.web.jobs import Job
from visionlab.gather.web.lane import Lane
from visionlab.gather.web.traffic import Traffic

NO_IMAGES = "no images on a page of results"


class Watch(Protocol):
    """Is told how a crawl goes, by one thread at a time. What earlier crawls have found and fetched is told again."""

    def found(self, label: str) -> None:
        """An address was found that this class did not have before."""

    def fetched(self, label: str) -> None:
        """The image of such an address is there."""

    def failed(self, label: str, reason: str) -> None:
        """The image of such an address cannot be had."""

    def source_said(self, name: str, text: str) -> None:
        """A source or one of its pages is left out, for this reason."""


class Board:
    """Keeps the ledger, and the lanes filled.

    Attributes:
        pages: to be asked for.
        images: to be fetched, by the address that names them.
        failure: what has ended the crawl before its time.
    """

    def __init__(
        self, config: GatherConfig, sources: Iterable[Source], ledger: Ledger, watch: Watch, traffic: Traffic
    ) -> None:
        self._config = config
        self.sources = {source.name: source for source in sources}
        self._ledger, self._watch, self._traffic = ledger, watch, traffic
        self.pages: Lane[Page] = Lane(traffic, self.parsers)
        self.images: Lane[str] = Lane(traffic, config.workers)
        self.failure: Exception | None = None
        self._stopped = False
        self._lock = threading.Lock()
        self._labels: dict[str, set[str]] = defaultdict(set)  # that want an address
        self._named: dict[Page, set[str]] = defaultdict(set)  # by all pages of a query, under the first of them

    @property
    def parsers(self) -> int:
        """Threads that ask for pages: more than one for each source, so that none is held up by another."""
        return 2 * len(self.sources)

    def begin(self, page: Page | None) -> None:
        """Ask for a page, or for the first one behind it that is not known."""
        while page is not None:
            links = None if page.source in LOCAL else self._ledger.links(page)
            if links is None:
                address = self.sources[page.source].address(page) or ""
                if address and not is_http(address):
                    self.page_failed(page, f"gather.endpoints.{page.source} is {NOT_HTTP}")
                else:
                    self.pages.put(Job(address, page, robots=self._config.search_robots == "obey"))
                return
            page = self._take(page, links)

    def page_done(self, page: Page, links: list[Link]) -> None:
        """A page names these links.

        None on a search engine's first page is more likely to say that it cannot be read than that there are none.
        """
        if not links and page.number == 0 and page.source not in LOCAL:
            self.page_failed(page, NO_IMAGES)
            return
        with self._lock:
            if self._stopped:
                return
            self._ledger.page_done(page, links)
        self.begin(self._take(page, links))

    def page_failed(self, page: Page, reason: str) -> None:
        """A page cannot be had, or not be understood."""
        with self._lock:
            if not self._stopped:
                self._ledger.page_failed(page, reason)
                self._watch.source_said(page.source, reason)

    def fetched(self, url: str, sha256: str = "", size: int = 0, reason: str = "") -> None:
        """An address was fetched, or cannot be."""
        fetch = Fetch(time.time_ns() // 1_000_000, sha256, size, reason)
        with self._lock:
            if not self._stopped:
                self._ledger.fetched(url, fetch)
                for label in sorted(self._labels[url]):
                    self._tell(label, fetch)

    def fail(self, error: Exception) -> None:
        """End the crawl: it cannot go on."""
        self.failure = error
        self.stop()

    def stop(self) -> None:
        """Let nothing more be recorded, and end all lanes."""
        with self._lock:
            self._stopped = True
        self._traffic.stop()

    def _take(self, page: Page, links: Iterable[Link]) -> Page | None:
        """See to it that links are fetched. The next page, if it is worth asking for."""
        named = self._named[Page(page.source, page.label, page.query)]
        known = len(named)
        for link in links:
            named.add(identity(link.url))
            self._want(page, link)
        goes_on = self.sources[page.source].goes_on and page.number + 1 < self._config.pages
        if not goes_on or len(named) == known:
            return None
        return Page(page.source, page.label, page.query, page.number + 1)

    def _want(self, page: Page, link: Link) -> None:
        url = identity(link.url)
        follow = may_follow(page, link)
        with self._lock:
            labels = self._labels[url if follow else f"{NOT_HTTP}: {url}"]
            if page.label in labels:
                return
            first = not labels
            labels.add(page.label)
            self._watch.found(page.label)
            fetch = self._ledger.fetch(url) if follow else Fetch(0, reason=NOT_HTTP)
            if fetch is not None:
                self._tell(page.label, fetch)
            elif first:
                self.images.put(Job("" if url.startswith("file:") else url, url))

    def _tell(self, label: str, fetch: Fetch) -> None:
        if fetch.reason:
            self._watch.failed(label, fetch.reason)
        else:
            self._watch.fetched(label)
