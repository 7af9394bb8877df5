"""Addresses as the crawl tells them apart."""

from __future__ import annotations

from urllib.parse import SplitResult, urldefrag, urlsplit

PORTS = {"http": 80, "https": 443}
LONGEST = 8000  # characters; RFC 9110, section 4.1, asks servers for as many
LONGEST_HOST = 253  # characters of a name (RFC 1035)


def is_http(url: str) -> bool:
    """Whether an address is one of http or https with a host, and not too long to be one."""
    if len(url) > LONGEST:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in PORTS and 0 < len(_name(parts)) <= LONGEST_HOST and parts.port != 0
    except ValueError:  # half an IPv6 address, no number for a port
        return False


def identity(url: str) -> str:
    """What two addresses of the same thing have in common: all but what is behind the #."""
    try:
        return urldefrag(url.strip()).url
    except ValueError:
        return url


def host_of(url: str) -> str:
    """Whom an http address belongs to, as https://example.org:8080: has a robots.txt of its own."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{_name(parts)}{port}"


def machine_of(url: str) -> str:
    """Who answers an http address, as example.org or example.org:8080: has a pace of its own."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, *PORTS.values()) else f":{parts.port}"
    return f"{_name(parts)}{port}"


def _name(parts: SplitResult) -> str:
    """In lower case, without the dot that may stand at its end; of an IPv6 address in brackets."""
    name = (parts.hostname or "").rstrip(".")
    return f"[{name}]" if ":" in name else name
