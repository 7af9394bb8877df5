"""Making requests: several at a time, and telling refusals for good from troubles that pass. Needs no mlflow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from visionlab.tracking.shipment_state import redacted

# answers from 400 to 499 that may be different tomorrow
FORBIDDEN = 403
PASSING = (401, FORBIDDEN, 404, 408, 429)
SECONDS_TO_SECOND_TRY = 1.0

Send = Callable[[list[Any]], None]


def deliver(send: Send, entries: list[Any], is_hopeless: Callable[[], bool]) -> list[tuple[Any, Exception]]:
    """Send entries together; what the server refuses for good is found by halving, and left out.

    Args:
        send: sends some of the entries in one request; doing so twice changes nothing.
        is_hopeless: asked when a request was refused, whether every part of it will be.

    Returns:
        The entries that were refused, and why.

    Raises:
        Exception: any other error of `send`.
    """
    try:
        send(entries)
        return []
    except Exception as error:
        if not is_final(error):
            raise
        if is_hopeless():
            return [(entry, error) for entry in entries]
    # two processes that write the same at once can get in each other's way
    time.sleep(SECONDS_TO_SECOND_TRY)
    return _halve(send, entries)


def in_parallel(calls: Sequence[Callable[[], int]], threads: int) -> Iterator[int]:
    """What the calls return, in their order. The last one is made when all others have returned.

    Raises:
        Exception: that of the first call that failed; calls that were made at the same time are waited for.
    """
    if not calls:
        return
    *others, last = calls
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda call: call(), others)
    yield last()


def is_final(error: Exception) -> bool:
    """Whether the server will never take what it was sent."""
    status = _status(error)
    return status is not None and 400 <= status < 500 and status not in PASSING


def is_forbidden(error: Exception) -> bool:
    """Whether the server knows who asks, and does not allow it."""
    return _status(error) == FORBIDDEN


def is_about_something_missing(error: Exception) -> bool:
    """Whether MLflow answers that what the request was about, such as a run, does not exist."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


def explain(error: Exception) -> str:
    """An error in a few words, without the secrets of the environment."""
    text = redacted(f"{type(error).__name__}: {error}")
    for pattern, words in (
        (r"too many (\d+) error responses", "it answers with error {}"),
        (r"timed? ?out", "no answer in time"),
        (r"\[Errno -?\d+\] ([^'\")]+)", "{}"),
        (r"(Remote end closed connection)", "{}"),
    ):
        found = re.search(pattern, text)
        if found is not None:
            return words.format(*found.groups())
    return text


def _halve(send: Send, entries: list[Any]) -> list[tuple[Any, Exception]]:
    try:
        send(entries)
    except Exception as error:
        if not is_final(error):
            raise
        if len(entries) == 1:
            return [(entries[0], error)]
        middle = len(entries) // 2
        return _halve(send, entries[:middle]) + _halve(send, entries[middle:])
    return []


def _status(error: Exception) -> int | None:
    """The HTTP status that stands behind an exception of mlflow, or of requests, which it lets through."""
    written = re.search(r"failed with error code (\d{3}) ", str(error))  # where the answer was no JSON
    if written is not None:
        return int(written[1])
    if hasattr(error, "get_http_status_code"):
        return int(error.get_http_status_code())
    status: int | None = getattr(getattr(error, "response", None), "status_code", None)
    return status
