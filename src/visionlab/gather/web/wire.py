"""Connections that go where the guard admits, for requests to use."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, ClassVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from visionlab.gather.web.deadlines import Exchange
from visionlab.gather.web.guard import Guard

POOLS = 64  # hosts whose connections are kept open, at the least


class Current(threading.local):
    """The exchange that a thread is at, and the guard of its connections: urllib3 has no way to hand them through."""

    exchange: Exchange
    guard: Guard


CURRENT = Current()


class _Guarded(HTTPConnection):
    """Connects to the very address that was checked: a name that is resolved twice may lead to two places."""

    def _new_conn(self) -> socket.socket:
        if self.proxy is not None:  # the user's own, and may well be on this machine
            CURRENT.exchange.socket = made = super()._new_conn()
            return made
        host = self._dns_host
        failure: OSError | None = None
        for family, kind, protocol, _, address in CURRENT.guard.resolve(host, self.port):
            left = CURRENT.exchange.due - time.monotonic()
            seconds = left if self.timeout is None else min(float(self.timeout), left)
            if seconds <= 0:
                break
            CURRENT.exchange.socket = made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(seconds)
                for option in self.socket_options or ():
                    made.setsockopt(*option)
                made.connect(address)
            except OSError as error:
                made.close()
                failure = error
            else:
                made.settimeout(self.timeout)
                return made
        if failure is None or isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, f"no connection to {host} in time") from failure
        raise NewConnectionError(self, f"no connection to {host}: {failure}") from failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        # one that has served another exchange before is open already
        CURRENT.exchange.socket = self.sock
        super().request(*args, **kwargs)


class _GuardedTLS(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class GuardedAdapter(HTTPAdapter):
    """Sends requests over guarded connections, and keeps them open.

    Args:
        connections: that may be in use at the same time.
    """

    _POOLS: ClassVar[dict[str, Any]] = {"http": _Pool, "https": _PoolTLS}

    def __init__(self, connections: int) -> None:
        super().__init__(pool_connections=max(POOLS, connections), pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._POOLS
        return manager
