"""Flickr's search, for those who have a key of its API."""

from __future__ import annotations

from dataclasses import dataclass, field
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

PAGE_SIZE = 100
SIZES = ("url_l", "url_c", "url_z")  # 1024, 800 and 640 pixels on the longer side; a photo has those below its own
# https://www.flickr.com/services/api/flickr.photos.licenses.getInfo.html
LICENCES = {
    "0": "All Rights Reserved",
    "1": "CC BY-NC-SA 2.0",
    "2": "CC BY-NC 2.0",
    "3": "CC BY-NC-ND 2.0",
    "4": "CC BY 2.0",
    "5": "CC BY-SA 2.0",
    "6": "CC BY-ND 2.0",
    "7": "No known copyright restrictions",
    "8": "United States Government Work",
    "9": "CC0 1.0",
    "10": "Public Domain Mark 1.0",
}


@dataclass(frozen=True)
class Flickr:
    """flickr.photos.search (https://www.flickr.com/services/api/flickr.photos.search.html).

    The addresses of its pages hold the key: they are to be fetched, and never to be shown or written down.
    """

    endpoint: str
    key: str = field(repr=False)
    name: str = "flickr"
    goes_on: bool = True

    def pages(self, label: str, config: ClassConfig) -> list[Page]:
        return first_pages(self.name, label, config)

    def address(self, page: Page) -> str:
        return address_with(
            self.endpoint,
            method="flickr.photos.search",
            api_key=self.key,
            text=page.query,
            media="photos",
            sort="relevance",
            extras=",".join((*SIZES, "license", "owner_name")),
            per_page=PAGE_SIZE,
            page=page.number + 1,
            format="json",
            nojsoncallback=1,
        )

    def parse(self, body: bytes, page: Page) -> list[Link]:
        answer = json_object(body)
        if answer.get("stat") != "ok":
            message = words(str(answer.get("message", "no status")).replace(self.key, "…"))
            raise PageError(f"Flickr answers: {message}")
        photos = answer.get("photos")
        found = photos.get("photo") if isinstance(photos, dict) else None
        if not isinstance(found, list):
            raise PageError("the answer has no photos")
        return unique(_link(photo) for photo in found if isinstance(photo, dict))


def _link(photo: dict[str, Any]) -> Link:
    url = next((address for size in SIZES if (address := web_address(photo.get(size)))), "")
    owner, number, licence = photo.get("owner"), photo.get("id"), photo.get("license")
    page_url = web_address(f"https://www.flickr.com/photos/{owner}/{number}") if owner and number else ""
    name = "" if licence is None else LICENCES.get(str(licence), f"Flickr licence {words(licence)}")
    return Link(url, page_url, name)
