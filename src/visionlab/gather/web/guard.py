"""Keeps the crawl out of this machine and its network, whatever the addresses say that strangers have written."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from visionlab.gather.web.errors import NOT_HTTP, NOT_REACHABLE, PRIVATE, FetchError

# RFC 6052: the last 32 bits are an IPv4 address, which a gateway connects to
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# what is given to hosts on the internet (RFC 4291, section 2.4), less what IANA's registry of special addresses keeps
UNICAST = ipaddress.IPv6Network("2000::/3")
SPECIAL = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))


class Guard:
    """Tells which addresses may be connected to.

    Args:
        allow_hosts: names or literal addresses, as they stand in a URL, that may lead to a private address.
    """

    def __init__(self, allow_hosts: Iterable[str]) -> None:
        self._allowed = {_plain(host) for host in allow_hosts}

    def admits(self, host: str, address: str) -> bool:
        """Whether the IP address may be connected to for a URL with this host."""
        return _plain(host) in self._allowed or is_public(address)

    def resolve(self, host: str, port: int | None) -> list[tuple[Any, ...]]:
        """The addresses of the host that may be connected to, as `socket.getaddrinfo` gives them.

        Raises:
            FetchError: there is none.
        """
        found = _look_up(host, port)
        if not found:
            raise FetchError(NOT_REACHABLE, passing=True, of_host=True)
        admitted = [entry for entry in found if self.admits(host, entry[4][0])]
        if not admitted:
            raise FetchError(PRIVATE)
        return admitted

    def check(self, host: str) -> None:
        """Refuse a host that a proxy is about to be asked for. One that only the proxy can resolve is its business.

        Raises:
            FetchError: the host has private addresses.
        """
        if any(not self.admits(host, entry[4][0]) for entry in _look_up(host, None)):
            raise FetchError(PRIVATE)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet at large: itself, or the IPv4 address that is wrapped in it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip.ipv4_mapped or ip.sixtofour
        if inner is None:
            return ip in UNICAST and not any(ip in network for network in SPECIAL)
        ip = inner
    return ip.is_global and not ip.is_multicast


def _plain(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()


def _look_up(host: str, port: int | None) -> list[tuple[Any, ...]]:
    try:
        return list(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM))
    except UnicodeError:
        raise FetchError(NOT_HTTP) from None  # a label that is empty or too long
    except OSError:
        return []
