"""Addresses as the crawl tells them apart."""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit

PORTS = {"http": 80, "https": 443}


def is_http(url: str) -> bool:
    """Whether an address is one of http or https with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, no number for a port
        return False


def identity(url: str) -> str:
    """What two addresses of the same thing have in common: all but what is behind the #."""
    try:
        return urldefrag(url.strip()).url
    except ValueError:
        return url


def host_of(url: str) -> str:
    """Whom an http address belongs to, as https://example.org:8080: has a robots.txt and a pace of its own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}")
