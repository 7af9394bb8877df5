"""What every source of links offers, and what their parsers share."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import urldefrag, urlencode

from bs4 import BeautifulSoup

from visionlab.config.gather import ClassConfig
from visionlab.gather.links import Link, Page
from visionlab.gather.web.addresses import is_http

LARGEST = 5_000_000  # bytes of a page that is read: several times what search engines send
_parsing = threading.Lock()


class PageError(Exception):
    """A page is not as documented. The message is a short reason."""


class Source(Protocol):
    """A search engine, or what lies on this machine already.

    Attributes:
        name: as in Page.source.
        goes_on: whether it has more pages of the same query, which are worth asking for after a page with links.
    """

    @property
    def name(self) -> str: ...

    @property
    def goes_on(self) -> bool: ...

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        """The first page for each query of a class; or its list, or its folder.

        Raises:
            UserError: the list or the folder is not there, or not what it should be.
        """
        ...

    def address(self, page: Page) -> str | None:
        """Where to fetch a page; None where nothing is to be fetched, and `parse` gets b""."""
        ...

    def parse(self, body: bytes, page: Page) -> list[Link]:
        """The images that a page names, in its order, each once.

        Raises:
            PageError: the page is not as documented.
        """
        ...


def first_pages(source: str, label: str, config: ClassConfig) -> list[Page]:
    """The first page for each query, of a search engine."""
    return [Page(source, label, query) for query in dict.fromkeys(config.queries)]


def address_with(endpoint: str, **parameters: str | int) -> str:
    """The address of an endpoint, which may have parameters already, with more of them."""
    return endpoint + ("&" if "?" in endpoint else "?") + urlencode(parameters)


def web_address(url: object) -> str:
    """What a page gives as an address, if it is one of http or https, without a fragment; otherwise empty."""
    if not isinstance(url, str):
        return ""
    url = url.strip()
    # half a character is not printable, which could not be written to a file
    return urldefrag(url).url if is_http(url) and url.isprintable() else ""


def words(text: object) -> str:
    """What a page says, fit to be printed and to be written to a file."""
    return "".join(letter for letter in str(text) if letter.isprintable())[:200]


def unique(links: Iterable[Link]) -> list[Link]:
    """Links that have an address, the first one of each address."""
    first: dict[str, Link] = {}
    for link in links:
        if link.url:
            first.setdefault(link.url, link)
    return list(first.values())


def html_page(body: bytes) -> tuple[str, BeautifulSoup]:
    """The text of a page, and its elements.

    Raises:
        PageError: it is empty, or beyond all measure.
    """
    _check_size(body)
    if not body.strip():
        raise PageError("the page is empty")
    text = body.decode("utf-8", "replace")
    # what it warns of is that the page looks like something else. One at a time, as filters belong to all threads
    with _parsing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return text, BeautifulSoup(text, "lxml")


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that an answer consists of.

    Raises:
        PageError: it consists of something else, or is beyond all measure.
    """
    _check_size(body)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PageError("the answer is not JSON" if body.strip() else "the answer is empty") from error
    if not isinstance(answer, dict):
        raise PageError("the answer is not a JSON object")
    return answer


def _check_size(body: bytes) -> None:
    if len(body) > LARGEST:
        raise PageError("the page has too many bytes")
