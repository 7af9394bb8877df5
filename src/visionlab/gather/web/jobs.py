"""What there is to fetch, and from whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from visionlab.gather.web.robots import Rules

T = TypeVar("T")


@dataclass
class Pace:
    """Of all requests to one machine.

    Attributes:
        interval: seconds between two requests.
        free_at: when it may be asked again, on the clock of `time.monotonic`.
    """

    interval: float
    free_at: float = 0.0


@dataclass
class Host:
    """What is known of a host.

    Attributes:
        name: as `host_of` has it; empty for this machine's own files.
        pace: which it may share, as http://a.org does with https://a.org.
        rules: its robots.txt, once it is known.
        asking: whether a job has been handed out that is to ask for that. No other is until it comes back.
        robots_at: where to ask for it next.
        robots_hops: how often it was redirected to get there.
        robots_failures: how often that went wrong.
        strikes: failures that are the host's own, since the last success.
        struck_at: when the last of them was known. Requests that were under way by then are no more of them.
        given_up: whether it is not asked any more.
    """

    name: str
    pace: Pace
    rules: Rules | None = None
    asking: bool = False
    robots_at: str = ""
    robots_hops: int = 0
    robots_failures: int = 0
    strikes: int = 0
    struck_at: float = 0.0
    given_up: bool = False


@dataclass
class Job(Generic[T]):
    """An address to be fetched, and what for.

    Attributes:
        address: where to ask next; empty for what is on this machine.
        item: what it is for.
        robots: whether robots.txt binds.
        tries: failures so far.
        failure: the reason of the last of them.
        hops: redirects so far.
        host: that it was handed out for.
        turn: when the host may be asked again after that.
        asks: whether it is the one to ask for the host's robots.txt.
    """

    address: str
    item: T
    robots: bool = True
    tries: int = 0
    failure: str = ""
    hops: int = 0
    host: Host = field(default_factory=lambda: Host("", Pace(0.0)))
    turn: float = 0.0
    asks: bool = False
