"""Google's pages of images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from bs4 import BeautifulSoup

from visionlab.config.gather import ClassConfig
from visionlab.gather.links import Link, Page
from visionlab.gather.sources.source import PageError, address_with, first_pages, html_page, unique, web_address

PAGE_SIZE = 100  # by which the parameter `start` goes on, as icrawler.builtin.GoogleFeeder documents
BARRED = {
    "consent.google.": "Google asks for consent to its cookies",
    "before you continue": "Google asks for consent to its cookies",
    "unusual traffic": "Google asks for a proof that a person is searching",
    "captcha": "Google asks for a proof that a person is searching",
    "enablejs": "Google answers that JavaScript has to be enabled",
    "enable javascript": "Google answers that JavaScript has to be enabled",
}

OWN_HOST = re.compile(r"(^|\.)(google\.[a-z.]+|gstatic\.com)$")
ESCAPE = re.compile(r"\\{1,4}(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([/\"]))")
# an image as ["https://…",height,width], and after it the page that it stands on as "2003":[null,"…","https://…"
ARRAY = re.compile(r'\["(?P<image>https?://[^"\s]+)",\d+,\d+\]|"2003":\[null,"[^"]*","(?P<page>https?://[^"\s]+)"')
BARE = re.compile(r"https?://[^\s\"'<>\[\]()\\]+")
IMAGE_SUFFIX = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp)(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Google:
    """GET /search?tbm=isch, whose page tells of its results in scripts, or in links to /imgres.

    Addresses in scripts that are no array are what icrawler.builtin.GoogleParser looks for. As they may be a part of
    one, or belong to something else than a result, they count only where there is nothing else.
    """

    endpoint: str
    name: str = "google"
    goes_on: bool = True

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        return first_pages(self.name, label, config)

    def address(self, page: Page) -> str:
        start = page.number * PAGE_SIZE
        return address_with(self.endpoint, q=page.query, ijn=page.number, start=start, tbm="isch")

    def parse(self, body: bytes, page: Page) -> list[Link]:
        text, soup = html_page(body)
        scripts = [_unescaped(tag.get_text()) for tag in soup.find_all("script")]
        found = [link for script in scripts for link in _of_arrays(script)] + list(_of_anchors(soup))
        links = unique(found) or unique(link for script in scripts for link in _of_bare_addresses(script))
        if not links:
            _check_whether_barred(text.lower())
        return links


def _unescaped(script: str) -> str:
    r"""A script with its \u003d, \x3d, \/ and \" resolved, also where it is quoted in another: \\u003d."""
    text = ESCAPE.sub(lambda match: match[3] or chr(int(match[1] or match[2], 16)), script)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _of_arrays(script: str) -> Iterator[Link]:
    image = ""
    for match in ARRAY.finditer(script):
        if match["image"]:
            if image:
                yield Link(image)
            image = _image_address(match["image"])
        elif image:
            yield Link(image, web_address(match["page"]))
            image = ""
    if image:
        yield Link(image)


def _of_anchors(soup: BeautifulSoup) -> Iterator[Link]:
    for tag in soup.find_all("a", href=True):
        try:
            address = urlsplit(str(tag["href"]))
        except ValueError:
            continue
        if address.path.endswith("/imgres"):
            parameters = parse_qs(address.query)
            image, page = (parameters.get(key, [""])[0] for key in ("imgurl", "imgrefurl"))
            yield Link(_image_address(image), web_address(page))


def _of_bare_addresses(script: str) -> Iterator[Link]:
    for match in BARE.finditer(script):
        address = _image_address(match[0].rstrip(",;."))
        if IMAGE_SUFFIX.search(address):
            yield Link(address)


def _image_address(url: str) -> str:
    """Empty for what is Google's own: thumbnails and logos."""
    address = web_address(url)
    return "" if address and OWN_HOST.search(urlsplit(address).hostname or "") else address


def _check_whether_barred(page: str) -> None:
    for mark, reason in BARRED.items():
        if mark in page:
            raise PageError(reason)
