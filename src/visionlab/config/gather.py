"""Settings of `visionlab gather`: what to look for, where, how politely, and what an image must be like to be kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from visionlab import __version__
from visionlab.config.base import NAME, Section

# neither hidden nor with a space at an end; no characters that some file system or table has another use for
FOLDER_NAME = r"(?![. ])[^\x00-\x1f\x7f/\\:*?\"<>|,]{1,80}(?<![. ])"
SourceName = Literal["openverse", "bing", "google", "flickr"]


class ClassConfig(Section):
    """Where the images of one class come from."""

    queries: tuple[str, ...] = Field((), description="what to ask the search engines for; variety beats volume")
    urls: str | None = Field(None, description="a text file with the address of an image in each line")
    folder: str | None = Field(None, description="a folder of images that are on this machine already")

    @field_validator("urls", "folder")
    @classmethod
    def _absolute(cls, path: str | None) -> str | None:
        return None if path is None else str(Path(path).expanduser().absolute())

    @model_validator(mode="after")
    def _something_to_gather(self) -> ClassConfig:
        if not (self.queries or self.urls or self.folder):
            raise ValueError("expected queries, urls or folder, given none of them")
        return self


class EndpointsConfig(Section):
    """The addresses of the search engines."""

    openverse: str = "https://api.openverse.org/v1/images/"
    bing: str = "https://www.bing.com/images/async"
    google: str = "https://www.google.com/search"
    flickr: str = "https://api.flickr.com/services/rest/"

    @field_validator("*")
    @classmethod
    def _http(cls, address: str) -> str:
        if not re.match(r"https?://[^/?#\s]+", address):
            raise ValueError(f"expected an address that begins with http:// or https:// and a host, given {address!r}")
        return address


class PolitenessConfig(Section):
    """What other people's servers are asked for, and how fast."""

    user_agent: str = Field(
        f"visionlab/{__version__} (gathers images to train a classifier; python-requests)", min_length=1
    )
    requests_per_second: float = Field(2.0, gt=0, description="to one host")
    retries: int = Field(3, ge=0, description="of an address that answers 429 or 5xx, or not in time")
    silence_seconds: float = Field(10.0, gt=0, description="without a byte, after which a request has failed")
    download_seconds: float = Field(60.0, gt=0, description="for the whole of one download")
    max_megabytes: float = Field(20.0, gt=0, description="of one download")
    allow_hosts: tuple[str, ...] = Field(
        (), description="hosts that may have a private address, as 127.0.0.1 or intranet.example"
    )


class AcceptConfig(Section):
    """What an image must be like to be kept."""

    min_side: int = Field(64, ge=1, description="pixels of the shorter side")
    max_aspect: float = Field(4.0, ge=1, description="longer side to shorter side")
    max_megapixels: float = Field(100.0, gt=0, le=150, description="more are taken for a decompression bomb")


class GatherConfig(Section):
    """A data set that is gathered from the web: a folder of that name in VISIONLAB_DATA."""

    name: str = Field(pattern=NAME)
    classes: dict[str, ClassConfig] = Field(min_length=2)
    sources: tuple[SourceName, ...] = Field(
        ("openverse", "bing", "google", "flickr"), description="search engines that are asked, in this order"
    )
    pages: int = Field(3, ge=1, description="of results, for each query and search engine")
    search_robots: Literal["obey", "ignore"] = Field(
        "obey", description="what to do where a search engine's robots.txt forbids its pages of results"
    )
    workers: int = Field(16, ge=1, le=128, description="downloads at a time")
    endpoints: EndpointsConfig = EndpointsConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    accept: AcceptConfig = AcceptConfig()

    @field_validator("classes")
    @classmethod
    def _folder_names(cls, classes: dict[str, ClassConfig]) -> dict[str, ClassConfig]:
        for name in classes:
            if not re.fullmatch(FOLDER_NAME, name):
                raise ValueError(f"expected classes whose names can be folders, given {name!r}")
        return classes


class GatheringConfig(Section):
    """Of `visionlab gather`."""

    gather: GatherConfig
