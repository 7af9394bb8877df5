"""What robots.txt allows (RFC 9309)."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

from visionlab.gather.web.addresses import is_http
from visionlab.gather.web.client import HOPS, Client
from visionlab.gather.web.errors import FORBIDDEN, NO_ROBOTS, NOT_HTTP, PRIVATE, TOO_LONG, FetchError

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


def ask_for_rules(client: Client, address: str, user_agent: str) -> Rules | str:
    """Make one request for rules.

    Args:
        client: makes the request.
        address: of a robots.txt, or where a redirect has led to.
        user_agent: whose rules count: those for its name before the slash.

    Returns:
        The rules, or where a redirect leads to. After more than `client.HOPS` of these there are no rules.

    Raises:
        FetchError: a failure of a passing kind.
    """
    body = _Beginning()
    try:
        target = client.get(address, body)
    except FetchError as error:
        if error.passing:
            raise
        if str(error) == TOO_LONG:
            return _parsed(bytes(body.content), user_agent)
        return Rules() if 400 <= error.status < 500 else without_rules(error)
    if target is None:
        return _parsed(bytes(body.content), user_agent)
    return target if is_http(target) else without_rules(FetchError(NOT_HTTP))


def read_rules(client: Client, host: str, user_agent: str) -> Rules:
    """Ask a host for its rules, wherever redirects lead to.

    Args:
        host: as `host_of` has it.

    Raises:
        FetchError: a failure of a passing kind.
    """
    answer: Rules | str = f"{host}/robots.txt"
    for _ in range(HOPS + 1):
        if isinstance(answer, Rules):
            return answer
        answer = ask_for_rules(client, answer, user_agent)
    return answer if isinstance(answer, Rules) else Rules()


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
