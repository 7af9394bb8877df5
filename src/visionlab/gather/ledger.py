"""The append-only record of a crawl: one JSON object a line in `crawl.jsonl`.

    {"kind": "page", "source": …, "label": …, "query": …, "number": 0, "links": [[url, page_url, licence], …]}
    {"kind": "page", "source": …, "label": …, "query": …, "number": 1, "error": "HTTP 403"}
    {"kind": "fetch", "url": …, "time": …, "sha256": …, "bytes": …}
    {"kind": "fetch", "url": …, "time": …, "reason": "HTTP 404", "settings": …}

Of several lines about the same page or address the last one counts. A line goes to the operating system as soon as it
is written, so a killed process loses nothing that it had recorded.

An address that was delivered is never asked for again while its file is there, and neither is one that was refused for
good: by most statuses below 500, by robots.txt, by too many redirects, or as it is no http address. Every other failure
may be passing trouble, or due to one's own settings. Such an address is tried by as many as `RUNS` crawls with the same
settings, so that the crawl of a set comes to its end. Each of them leaves a line, and `settings` says under which it
was: a digest of the section `gather.politeness`. With other settings the count begins anew.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from visionlab.config.gather import GatherConfig, PolitenessConfig
from visionlab.errors import UserError
from visionlab.gather.links import Fetch, Find, Link, Page
from visionlab.gather.web.addresses import identity, is_http
from visionlab.gather.web.errors import NEVER_ASKED, NOT_HTTP, is_for_good
from visionlab.tracking.journal import Journal

LOCAL = ("urls", "folder")  # sources that cost nothing to read again, and may have changed
RUNS = 3  # crawls that try an address whose failure may be passing


class Ledger:
    """Reads what earlier crawls have recorded, and adds to it.

    Args:
        file: created with the first line if it is not there.

    Raises:
        UserError: a line of it is no record.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._links: dict[Page, tuple[Link, ...]] = {}
        self._fetches: dict[str, Fetch] = {}
        self._reopened: set[str] = set()
        self._failures: Counter[tuple[str, str]] = Counter()  # of an address, with some settings
        self._settings = ""
        self._journal: Journal | None = None
        self._opening = threading.Lock()
        self._read()

    def links(self, page: Page) -> tuple[Link, ...] | None:
        """What a page named; None where it has not been asked for, or not with success."""
        return self._links.get(page)

    def fetch(self, url: str) -> Fetch | None:
        """How the attempt to fetch an address ended; None where there was none, or there is to be another."""
        url = identity(url)
        return None if url in self._reopened else self._fetches.get(url)

    def page_done(self, page: Page, links: Iterable[Link]) -> None:
        """Record what a page names."""
        named = tuple(links)
        if self._links.get(page) == named:
            return  # of a list or a folder that has been read before
        self._append("page", **_described(page), links=[[link.url, link.page_url, link.licence] for link in named])
        self._links[page] = named

    def page_failed(self, page: Page, reason: str) -> None:
        """Record that a page could not be had, or not be understood. The next crawl asks for it again."""
        self._append("page", **_described(page), error=reason)
        self._links.pop(page, None)

    def fetched(self, url: str, fetch: Fetch) -> None:
        """Record how the attempt to fetch an address ended.

        Where its host was not even asked for it, the reason of an earlier attempt says more, and is kept.
        """
        url = identity(url)
        earlier = self._fetches.get(url)
        if earlier is not None and earlier.reason and fetch.reason in NEVER_ASKED:
            fetch = replace(fetch, reason=earlier.reason)
        failed = {"reason": fetch.reason, "settings": self._settings}
        outcome = failed if fetch.reason else {"sha256": fetch.sha256, "bytes": fetch.bytes}
        self._append("fetch", url=url, time=fetch.time, **outcome)
        self._note(url, fetch, self._settings)
        self._reopened.discard(url)

    def reopen(self, sizes: dict[str, int], politeness: PolitenessConfig) -> None:
        """Begin another crawl: give another chance to what may go well this time, and to files that are gone.

        Args:
            sizes: bytes of the files that are there, by their SHA-256.
            politeness: the settings of the crawl.
        """
        self._settings = hashlib.sha256(politeness.model_dump_json().encode()).hexdigest()[:8]

        def stands(url: str, fetch: Fetch) -> bool:
            if not fetch.reason:
                return sizes.get(fetch.sha256) == fetch.bytes
            return is_for_good(fetch.reason) or self._failures[url, self._settings] >= RUNS

        self._reopened = {url for url, fetch in self._fetches.items() if not stands(url, fetch)}

    def finds(self, config: GatherConfig) -> list[Find]:
        """Every link of what is to be gathered, by source, class, query, page and place on the page.

        So the order does not depend on what came first.
        """
        sources = {name: rank for rank, name in enumerate((*config.sources, *LOCAL))}
        labels = {label: rank for rank, label in enumerate(config.classes)}
        queries = {
            (label, query): rank
            for label, wanted in config.classes.items()
            for rank, query in enumerate((*wanted.queries, wanted.urls, wanted.folder))
        }
        pages = [
            ((sources[page.source], labels[page.label], queries[page.label, page.query], page.number), page)
            for page in list(self._links)
            if page.source in sources and (page.label, page.query) in queries and page.number < config.pages
        ]
        return [
            Find(page, link, self.fetch(link.url) if may_follow(page, link) else Fetch(0, reason=NOT_HTTP))
            for _, page in sorted(pages, key=lambda entry: entry[0])
            for link in self._links[page]
        ]

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _read(self) -> None:
        if not self.file.exists():
            return
        content = self.file.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"line {number} of {self.file}: expected a record of a crawl, given "
                    f"{line[:60].decode(errors='replace')!r}; without the line, the crawl can go on"
                ) from error

    def _take(self, record: dict[str, Any]) -> None:
        if record["kind"] == "fetch":
            fetch = Fetch(record["time"], record.get("sha256", ""), record.get("bytes", 0), record.get("reason", ""))
            self._note(record["url"], fetch, record.get("settings", ""))
            return
        page = Page(record["source"], record["label"], record["query"], record["number"])
        if "error" in record:
            self._links.pop(page, None)
        else:
            self._links[page] = tuple(Link(*link) for link in record["links"])

    def _note(self, url: str, fetch: Fetch, settings: str) -> None:
        self._fetches[url] = fetch
        if fetch.reason:
            self._failures[url, settings] += 1

    def _append(self, kind: str, **content: Any) -> None:
        try:
            with self._opening:
                if self._journal is None:
                    self.file.parent.mkdir(parents=True, exist_ok=True)
                    self._journal = Journal(self.file)
            self._journal.append(kind, **content)
        except OSError as error:
            raise UserError(
                f"the crawl cannot be recorded in {self.file}: {error}; VISIONLAB_DATA names another place"
            ) from error


def may_follow(page: Page, link: Link) -> bool:
    """Whether a page has any business naming this address: files are for folders alone."""
    return page.source == "folder" if link.url.startswith("file:") else is_http(link.url)


def _described(page: Page) -> dict[str, Any]:
    return {"source": page.source, "label": page.label, "query": page.query, "number": page.number}
