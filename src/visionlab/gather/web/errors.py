"""Why an address was not fetched."""

from __future__ import annotations

NOT_HTTP = "not an http address"
PRIVATE = "private address"
FORBIDDEN = "robots.txt forbids"
NO_ROBOTS = "robots.txt not reachable"
NOT_REACHABLE = "not reachable"
TOO_SLOW = "too slow"
TOO_LONG = "too many bytes"
CUT_OFF = "cut off"
BAD_TLS = "no valid certificate"
BAD_ENCODING = "broken encoding"
LOST = "too many redirects"
GIVEN_UP = "host given up"
NEVER_ASKED = (NO_ROBOTS, GIVEN_UP)  # the host was at fault, not the address
FOR_GOOD = (NOT_HTTP, FORBIDDEN, LOST)
STATUS = "HTTP "  # and the status of an answer
PASSING_STATUSES = (408, 425, 429)  # besides those from 500


def passes(status: int) -> bool:
    """Whether another answer than one of this status may come at another time."""
    return status in PASSING_STATUSES or status >= 500


def is_for_good(reason: str) -> bool:
    """Whether a reason will be the same at any other time, and with other settings."""
    if reason.startswith(STATUS):
        return not passes(int(reason.removeprefix(STATUS)))
    return reason in FOR_GOOD


class FetchError(Exception):
    """An address cannot be fetched. The message is a reason of a few words, the same for all failures of a kind.

    Attributes:
        passing: whether it may go well at another time.
        of_host: whether other addresses of the host can be expected to fail in the same way.
        pause: seconds for which the host wants to be left alone, 0 where it does not say how many; None where it
            wants nothing of that kind.
        status: of the answer; 0 where there was none.
    """

    def __init__(
        self,
        reason: str,
        *,
        passing: bool = False,
        of_host: bool = False,
        pause: float | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(reason)
        self.passing, self.of_host, self.pause, self.status = passing, of_host, pause, status


class Stopped(Exception):  # noqa: N818 - nothing has failed
    """The crawl ends before its time: what was under way has no outcome."""
