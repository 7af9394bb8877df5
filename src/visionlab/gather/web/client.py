"""Fetches from the web as a careful guest: bounded in bytes and time, without cookies, and never from the inside."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests.exceptions import ConnectTimeout, RequestException, SSLError, Timeout
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from visionlab.config.gather import PolitenessConfig
from visionlab.gather.web.addresses import host_of, is_http
from visionlab.gather.web.deadlines import Deadlines
from visionlab.gather.web.errors import (
    BAD_ENCODING,
    BAD_TLS,
    CUT_OFF,
    NOT_HTTP,
    NOT_REACHABLE,
    STATUS,
    TOO_LONG,
    TOO_SLOW,
    FetchError,
    Stopped,
    passes,
)
from visionlab.gather.web.guard import Guard
from visionlab.gather.web.waits import asked_wait
from visionlab.gather.web.wire import CURRENT, GuardedAdapter

CHUNK = 1 << 16  # bytes
REST = 1 << 14, 4  # bytes at a time, and times, that an unwanted answer is read to its end, to keep the connection
REDIRECTS = (301, 302, 303, 307, 308)
HOPS = 5  # redirects that are followed; RFC 9309 asks for as many at the least


class Sink(Protocol):
    """Takes the bytes of an answer, piece by piece."""

    def write(self, data: bytes, /) -> object: ...


class Client:
    """Asks for one address at a time, from any number of threads.

    Args:
        config: what is asked of other people's servers.
        session: gets the adapter that connections go through.
        threads: that ask at the same time.
    """

    def __init__(self, config: PolitenessConfig, session: requests.Session, threads: int) -> None:
        self._config = config
        self._limit = int(config.max_megabytes * 1e6)
        self._guard = Guard(config.allow_hosts)
        self._deadlines = Deadlines(config.download_seconds)
        self._session = session
        self._adapter = GuardedAdapter(threads)
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter)
        self._ways: dict[str, dict[str, Any]] = {}
        self._headers = {"User-Agent": config.user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}

    def get(self, url: str, sink: Sink) -> str | None:
        """Make one request, and write the decoded body of its answer to the sink.

        Returns:
            Where a redirect leads to; None where there was a body.

        Raises:
            FetchError: the answer is something else, or there is none.
            Stopped: after `stop`.
        """
        request = self._prepared(url)
        target = failure = None
        number, exchange = self._deadlines.begin()
        CURRENT.exchange, CURRENT.guard = exchange, self._guard
        try:
            target = self._exchange(request, sink)
        except (FetchError, RequestException, HTTPError) as error:
            failure = error
        finally:
            self._deadlines.end(number)
        # first of all, as what was cut off may look as if it had come to its end
        if self._deadlines.stopped:
            raise Stopped from failure
        if exchange.overdue:  # not passing: it has had its time
            raise FetchError(TOO_SLOW, of_host=True) from failure
        if failure is not None:
            raise _reason(failure) from failure
        return target

    def stop(self) -> None:
        """Cut off all requests at once, and let none begin."""
        self._deadlines.stop()

    def close(self) -> None:
        self._deadlines.close()
        self._session.close()

    def _prepared(self, url: str) -> requests.PreparedRequest:
        if not is_http(url):
            raise FetchError(NOT_HTTP)
        try:
            # by itself, not by the session: that would add cookies, and passwords from a .netrc
            return requests.Request("GET", url, headers=self._headers).prepare()
        except (RequestException, ValueError) as error:
            raise FetchError(NOT_HTTP) from error

    @property
    def stopped(self) -> bool:
        return self._deadlines.stopped

    def _exchange(self, request: requests.PreparedRequest, sink: Sink) -> str | None:
        assert request.url is not None
        how = self._ways_of(request.url)
        if how["proxies"]:
            self._guard.check(urlsplit(request.url).hostname or "")
        silence = self._config.silence_seconds
        # not by the session, which would read the whole body of a redirect
        answer = self._adapter.send(request, timeout=(silence, silence), **how)
        try:
            if answer.status_code == 200:
                self._read(answer, sink)
                return None
            _finish(answer)
            if answer.status_code in REDIRECTS and "Location" in answer.headers:
                return _target(request.url, answer.headers["Location"])
            raise _refusal(answer)
        finally:
            # a connection whose answer was read to the end has gone back to the others by itself
            answer.raw.close()
            answer.raw.release_conn()

    def _ways_of(self, url: str) -> dict[str, Any]:
        """Proxies and certificates that the environment has for a host; what requests does with it takes a while."""
        host = host_of(url)
        if host not in self._ways:
            how = cast(dict[str, Any], self._session.merge_environment_settings(url, {}, True, None, None))
            if not requests.utils.select_proxy(url, how["proxies"]):
                how["proxies"] = {}
            self._ways[host] = how
        return self._ways[host]

    def _read(self, answer: requests.Response, sink: Sink) -> None:
        if int(answer.raw.length_remaining or 0) > self._limit:
            raise FetchError(TOO_LONG)
        total = 0
        # what has come, without waiting for more
        while data := answer.raw.read1(CHUNK, decode_content=True):
            total += len(data)
            if total > self._limit:
                raise FetchError(TOO_LONG)
            sink.write(data)


def _target(url: str, location: str) -> str:
    # http.client reads headers as Latin-1, but those that are not ASCII are UTF-8 in practice
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode()
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError(NOT_HTTP) from error


def _refusal(answer: requests.Response) -> FetchError:
    status = answer.status_code
    overloaded = status in (429, 503)
    return FetchError(
        f"{STATUS}{status}",
        passing=passes(status),
        of_host=overloaded,
        pause=asked_wait(answer.headers.get("Retry-After")) if overloaded else None,
        status=status,
    )


def _finish(answer: requests.Response) -> None:
    """Read the rest of an answer that is not wanted, if it is short, so that the connection can be used again."""
    size, times = REST
    with contextlib.suppress(HTTPError):
        for _ in range(times):
            if not answer.raw.read1(size, decode_content=False):
                break


def _reason(error: FetchError | RequestException | HTTPError) -> FetchError:
    match error:
        case FetchError():
            return error
        case SSLError():
            return FetchError(BAD_TLS, of_host=True)
        case ConnectTimeout():
            return FetchError(NOT_REACHABLE, passing=True, of_host=True)
        case Timeout() | ReadTimeoutError():
            return FetchError(TOO_SLOW, passing=True, of_host=True)
        case ValueError():  # requests has it for addresses that it does not understand
            return FetchError(NOT_HTTP)
        case RequestException():
            return FetchError(NOT_REACHABLE, passing=True, of_host=True)
        case DecodeError():
            return FetchError(BAD_ENCODING)
        case _:
            return FetchError(CUT_OFF, passing=True)
