"""What is known of an image before it is fetched, and of the page that named it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page of results, a list of addresses, or a folder.

    Attributes:
        source: openverse, bing, google, flickr, urls or folder.
        label: the class that it is asked for.
        query: what is searched for; of a list or a folder its path.
        number: of the page of results, from 0.
    """

    source: str
    label: str
    query: str
    number: int = 0


@dataclass(frozen=True)
class Link:
    """An image that a page names.

    Attributes:
        url: of the image; of one in a folder its path, as file://….
        page_url: of the page that the image stands on, where the source tells.
        licence: where the source tells.
    """

    url: str
    page_url: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Fetch:
    """How the attempt to fetch an address ended.

    Attributes:
        time: milliseconds since 1970.
        sha256: of the bytes, which lie in the store under that name; empty where there are none.
        bytes: how many.
        reason: why there are none, in a few words, as "HTTP 404"; empty where there are.
    """

    time: int
    sha256: str = ""
    bytes: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Find:
    """A link, where it was found, and what has come of it.

    The same address found for two classes is two finds with the same fetch.
    """

    page: Page
    link: Link
    fetch: Fetch | None = None
