"""The sources that a configuration asks for."""

from __future__ import annotations

import os

from visionlab.config.gather import GatherConfig, SourceName
from visionlab.gather.sources.bing import Bing
from visionlab.gather.sources.flickr import Flickr
from visionlab.gather.sources.folder import Folder
from visionlab.gather.sources.google import Google
from visionlab.gather.sources.openverse import Openverse
from visionlab.gather.sources.source import Source
from visionlab.gather.sources.urls import Urls

FLICKR_KEY = "FLICKR_API_KEY"


def make_sources(config: GatherConfig) -> tuple[list[Source], dict[str, str]]:
    """The sources that can be used, and the others with the reason.

    Returns:
        The search engines in the order of the configuration, then the lists and the folders; and what is left out.
    """
    key = os.environ.get(FLICKR_KEY, "").strip()
    endpoints = config.endpoints
    engines: dict[SourceName, Source] = {
        "openverse": Openverse(endpoints.openverse),
        "bing": Bing(endpoints.bing),
        "google": Google(endpoints.google),
    }
    if key:
        engines["flickr"] = Flickr(endpoints.flickr, key)
    names = list(dict.fromkeys(config.sources))
    left_out: dict[str, str] = {name: f"{FLICKR_KEY} is not set" for name in names if name not in engines}
    return [*(engines[name] for name in names if name in engines), Urls(), Folder()], left_out
