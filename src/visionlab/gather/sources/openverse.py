"""Openverse: openly licensed images, searched through its JSON API, which needs no key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visionlab.config.gather import ClassConfig
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import (
    PageError,
    address_with,
    first_pages,
    json_object,
    unique,
    web_address,
    words,
)

PAGE_SIZE = 20  # the most that an anonymous request may ask for
PUBLIC_DOMAIN = {"cc0": "CC0", "pdm": "Public Domain Mark"}


@dataclass(frozen=True)
class Openverse:
    """GET /v1/images/ (https://api.openverse.org/v1/)."""

    endpoint: str
    name: str = "openverse"
    goes_on: bool = True

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        return first_pages(self.name, label, config)

    def address(self, page: Page) -> str:
        return address_with(self.endpoint, q=page.query, page=page.number + 1, page_size=PAGE_SIZE)

    def parse(self, body: bytes, page: Page) -> list[Link]:
        answer = json_object(body)
        if "detail" in answer:
            raise PageError(f"Openverse answers: {words(answer['detail'])}")
        results = answer.get("results")
        if not isinstance(results, list):
            raise PageError("the answer has no results")
        return unique(_link(result) for result in results if isinstance(result, dict))


def _link(result: dict[str, Any]) -> Link:
    return Link(web_address(result.get("url")), web_address(result.get("foreign_landing_url")), _licence(result))


def _licence(result: dict[str, Any]) -> str:
    """As Creative Commons writes it, as "CC BY-SA 4.0"; its address where the licence has no name."""
    code, version = result.get("license"), result.get("license_version")
    if not isinstance(code, str) or not code:
        return words(web_address(result.get("license_url")))
    name = PUBLIC_DOMAIN.get(code.lower(), f"CC {code.upper()}")
    return words(f"{name} {version}" if isinstance(version, str) and version else name)
