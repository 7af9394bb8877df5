"""One request after the other on the way to an address: robots.txt, the address itself, and where it leads to."""

from __future__ import annotations

import time
from typing import TypeVar

from visionlab.config.gather import PolitenessConfig
from visionlab.gather.web.addresses import is_http
from visionlab.gather.web.client import HOPS, Client, Sink
from visionlab.gather.web.errors import GIVEN_UP, LOST, NOT_HTTP, FetchError
from visionlab.gather.web.jobs import Host, Job
from visionlab.gather.web.lane import Lane
from visionlab.gather.web.robots import Rules, ask_for_rules, without_rules
from visionlab.gather.web.traffic import Traffic
from visionlab.gather.web.waits import back_off

T = TypeVar("T")


class Visits:
    """Makes the next request of a job, and puts the job back in its lane where there is more to come.

    So every request is one turn of its host, and no thread is held by a wait.
    """

    def __init__(self, client: Client, traffic: Traffic, config: PolitenessConfig) -> None:
        self._client, self._traffic, self._config = client, traffic, config

    def make(self, lane: Lane[T], job: Job[T], sink: Sink) -> bool:
        """Make a request.

        Args:
            lane: that handed out the job.
            job: with an http address.
            sink: for the body.

        Returns:
            Whether the body is in the sink. If not, the job has gone back.

        Raises:
            FetchError: there is no more to come.
            Stopped: after `Client.stop`.
        """
        host = job.host
        if job.robots and host.rules is None:
            self._ask_for_rules(lane, job)
            return False
        objection = (job.failure or GIVEN_UP) if host.given_up else ""
        if job.robots and host.rules is not None:
            objection = objection or host.rules.objection_to(job.address)
        if objection:
            self._traffic.refund(job)
            raise FetchError(objection)
        began = time.monotonic()
        try:
            target = self._client.get(job.address, sink)
        except FetchError as error:
            if not self._comes_again(lane, job, error, began):
                raise
            return False
        host.strikes = 0
        if target is None:
            return True
        self._go_on(lane, job, target)
        return False

    def _comes_again(self, lane: Lane[T], job: Job[T], error: FetchError, began: float) -> bool:
        if error.of_host:
            self._traffic.strike(job.host, began)
        else:
            job.host.strikes = 0
        if not error.passing:
            return False
        job.tries, job.failure = job.tries + 1, str(error)
        seconds = error.pause or back_off(job.tries)
        if error.pause is not None:
            self._traffic.pause(job.host, seconds)
        if job.tries > self._config.retries:
            return False
        lane.again(job, seconds)
        return True

    def _go_on(self, lane: Lane[T], job: Job[T], target: str) -> None:
        job.hops += 1
        if job.hops > HOPS:
            raise FetchError(LOST)
        if not is_http(target):
            raise FetchError(NOT_HTTP)
        job.address = target
        lane.again(job)

    def _ask_for_rules(self, lane: Lane[T], job: Job[T]) -> None:
        host = job.host
        try:
            answer = ask_for_rules(self._client, host.robots_at, self._config.user_agent)
        except FetchError as error:
            self._rules_failed(host, error)
        else:
            if isinstance(answer, Rules):
                self._traffic.heed(host, answer)
            elif host.robots_hops == HOPS:
                self._traffic.heed(host, Rules())
            else:
                host.robots_hops += 1
                self._traffic.lead(host, answer)
        lane.again(job, first=True)

    def _rules_failed(self, host: Host, error: FetchError) -> None:
        host.robots_failures += 1
        if error.pause is not None:
            self._traffic.pause(self._traffic.host(host.robots_at), error.pause)
        if host.robots_failures > self._config.retries:
            self._traffic.heed(host, without_rules(error))
        else:
            self._traffic.pause(host, error.pause or back_off(host.robots_failures))
