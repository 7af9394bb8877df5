"""What robots.txt allows (RFC 9309)."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from visionlab.gather.web.client import Client
from visionlab.gather.web.errors import FORBIDDEN, LOST, NO_ROBOTS, PRIVATE, TOO_LONG, FetchError

ENOUGH = 500 << 10  # bytes that are read of it, as RFC 9309 asks for at the least
LONGEST_DELAY = 30.0  # seconds between two requests: a greater Crawl-delay counts as this


@dataclass(frozen=True)
class Rules:
    """Of a host, for one visitor.

    Attributes:
        objection: why nothing at all may be fetched; empty where the rules decide.
        delay: seconds between two requests, that the host asks for.
    """

    visitor: str = ""
    rules: Protego | None = None
    objection: str = ""
    delay: float = 0.0

    def objection_to(self, url: str) -> str:
        """Why an address may not be fetched; empty where it may."""
        if self.rules is not None and not self.rules.can_fetch(url, self.visitor):
            return FORBIDDEN
        return self.objection


def read_rules(client: Client, host: str, user_agent: str) -> Rules:
    """Ask a host for its rules.

    Args:
        client: makes the request.
        host: as `host_of` has it.
        user_agent: whose rules count: those for its name before the slash.

    Raises:
        FetchError: a failure of a passing kind.
    """
    body = _Beginning()
    try:
        client.follow(f"{host}/robots.txt", body)
    except FetchError as error:
        if error.passing:
            raise
        if str(error) == TOO_LONG:
            return _parsed(bytes(body.content), user_agent)
        if str(error) == LOST or 400 <= error.status < 500:
            return Rules()
        return without_rules(error)
    return _parsed(bytes(body.content), user_agent)


def without_rules(error: FetchError) -> Rules:
    """What is allowed where robots.txt cannot be had: nothing."""
    return Rules(objection=PRIVATE if str(error) == PRIVATE else NO_ROBOTS)


def _parsed(content: bytes, user_agent: str) -> Rules:
    visitor = (user_agent.split("/")[0].split() or ["*"])[0]
    try:
        rules = Protego.parse(content.decode("utf-8-sig", "replace"))
    except Exception:  # noqa: BLE001 - whatever a stranger's file may make a parser raise: better to keep out
        return Rules(objection=NO_ROBOTS)
    return Rules(visitor, rules, delay=min(rules.crawl_delay(visitor) or 0.0, LONGEST_DELAY))


class _Beginning:
    """Keeps the first bytes of what is written to it."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes, /) -> None:
        self.content += data[: ENOUGH - len(self.content)]
