"""Bing's pages of images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from visionlab.config.gather import ClassConfig
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import PageError, address_with, first_pages, html_page, unique, web_address

PAGE_SIZE = 35  # what Bing gives where nothing else is asked for, and the most that it gives reliably
BARRED = ("captcha", "/turing/", "one last step", "unusual traffic")


@dataclass(frozen=True)
class Bing:
    """GET /images/async, of whose parts each that shows a result tells of it in an attribute `m`, as JSON.

    Today that is <a class="iusc" m="{…}">, and within <div class="imgpt"> as icrawler.builtin.BingParser documents.
    """

    endpoint: str
    name: str = "bing"
    goes_on: bool = True

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        return first_pages(self.name, label, config)

    def address(self, page: Page) -> str:
        return address_with(self.endpoint, q=page.query, first=page.number * PAGE_SIZE + 1, count=PAGE_SIZE)

    def parse(self, body: bytes, page: Page) -> list[Link]:
        text, soup = html_page(body)
        tags = soup.find_all(m=True)
        results = [_result(str(tag["m"])) for tag in tags]
        links = unique(Link(web_address(result.get("murl")), web_address(result.get("purl"))) for result in results)
        if tags and not any(results):
            raise PageError("none of the results can be read")
        if not links and any(mark in text.lower() for mark in BARRED):
            raise PageError("Bing asks for a proof that a person is searching")
        return links


def _result(text: str) -> dict[str, Any]:
    try:
        result = json.loads(text)
    except (ValueError, RecursionError):
        return {}  # the others of the page are worth having
    return result if isinstance(result, dict) else {}
