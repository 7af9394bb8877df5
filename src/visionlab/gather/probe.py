"""Asks each source for one page, to see whether it still works."""

from __future__ import annotations

import io
from dataclasses import dataclass

from icrawler.utils import ProxyPool, Session

from visionlab.config.gather import GatherConfig
from visionlab.errors import UserError
from visionlab.gather.crawler.work import unexpected
from visionlab.gather.links import Page
from visionlab.gather.sources.registry import make_sources
from visionlab.gather.sources.source import PageError, Source
from visionlab.gather.web.addresses import host_of, is_http
from visionlab.gather.web.client import HOPS, Client
from visionlab.gather.web.errors import LOST, NOT_HTTP, FetchError
from visionlab.gather.web.robots import read_rules, without_rules


@dataclass(frozen=True)
class ProbeResult:
    """What has come of a source.

    Attributes:
        source: its name.
        links: how many images the page names.
        error: why there are none, or why the source is left out.
    """

    source: str
    links: int = 0
    error: str = ""


def probe(config: GatherConfig) -> list[ProbeResult]:
    """Ask each source for the first page of its first query, once."""
    sources, left_out = make_sources(config)
    client = Client(config.politeness, Session(ProxyPool()), threads=1)
    try:
        asked = [_probed(source, page, config, client) for source in sources for page in _first_page(source, config)]
    finally:
        client.close()
    return asked + [ProbeResult(name, error=reason) for name, reason in left_out.items()]


def _first_page(source: Source, config: GatherConfig) -> list[Page]:
    for label, wanted in config.classes.items():
        pages = source.pages(label, wanted)
        if pages:
            return pages[:1]
    return []


def _probed(source: Source, page: Page, config: GatherConfig, client: Client) -> ProbeResult:
    try:
        address = source.address(page)
        body = _fetched(address, config, client) if address else b""
        links = source.parse(body, page)
    except (FetchError, PageError) as error:
        return ProbeResult(source.name, error=str(error))
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - to find out what is broken is what this is for
        return ProbeResult(source.name, error=unexpected(error))
    return ProbeResult(source.name, len(links), "" if links else "no links on the page")


def _fetched(address: str, config: GatherConfig, client: Client) -> bytes:
    for _ in range(HOPS + 1):
        if not is_http(address):
            raise FetchError(NOT_HTTP)
        if config.search_robots == "obey":
            _check_robots(address, config, client)
        body = io.BytesIO()
        target = client.get(address, body)
        if target is None:
            return body.getvalue()
        address = target
    raise FetchError(LOST)


def _check_robots(address: str, config: GatherConfig, client: Client) -> None:
    try:
        rules = read_rules(client, host_of(address), config.politeness.user_agent)
    except FetchError as error:
        rules = without_rules(error)
    objection = rules.objection_to(address)
    if objection:
        raise FetchError(objection)
