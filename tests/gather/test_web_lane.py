"""The order and the pace in which jobs are handed out. No test waits for a server."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict

import pytest

from visionlab.gather.web.jobs import Job
from visionlab.gather.web.lane import Lane
from visionlab.gather.web.robots import Rules
from visionlab.gather.web.traffic import STRIKES, Traffic


def address(host: str, number: int = 0) -> str:
    return f"http://{host}.example/{number}"


def known(traffic: Traffic, *hosts: str) -> None:
    for host in hosts:
        traffic.heed(traffic.host(address(host)), Rules())


def lane_of(requests_per_second: float, workers: int = 4) -> tuple[Traffic, Lane[int]]:
    traffic = Traffic(requests_per_second)
    known(traffic, "a", "b", "c")
    return traffic, Lane(traffic, workers)


def fill(lane: Lane[int], host: str, number: int) -> None:
    for index in range(number):
        lane.put(Job(address(host, index), index))


def take(lane: Lane[int]) -> Job[int]:
    job = lane.get()
    assert job is not None
    return job


def in_threads(workers: int, lane: Lane[int], seconds: float = 0.0) -> list[tuple[float, str, int]]:
    """Do all jobs. When each was handed out, its host and its number."""
    log: list[tuple[float, str, int]] = []

    def work() -> None:
        while (job := lane.get()) is not None:
            log.append((time.monotonic(), job.host.name[7], job.item))
            time.sleep(seconds)
            lane.done(job)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return log


def test_every_job_is_handed_out_once_and_then_the_lane_ends() -> None:
    traffic, lane = lane_of(1e6, workers=16)
    for host in "abc":
        fill(lane, host, 2000)
    log = in_threads(16, lane)
    assert Counter((host, number) for _, host, number in log) == Counter(
        {(host, number): 1 for host in "abc" for number in range(2000)}
    )
    assert traffic.finished.is_set()
    assert lane.get() is None


def test_jobs_of_a_host_keep_their_order() -> None:
    _, lane = lane_of(1e6, workers=1)
    fill(lane, "a", 50)
    assert [number for _, _, number in in_threads(1, lane)] == list(range(50))


def test_no_host_is_asked_more_often_than_it_may_be_and_hosts_do_not_wait_for_each_other() -> None:
    _, lane = lane_of(50, workers=8)
    for host in "abc":
        fill(lane, host, 20)
    log = in_threads(8, lane)
    times = defaultdict(list)
    for when, host, _ in log:
        times[host].append(when)
    for when in times.values():
        # 20 requests are 19 intervals, of which the first may be shorter by the slack
        assert max(when) - min(when) >= 19 / 50 - 0.03
    assert max(min(when) for when in times.values()) < min(max(when) for when in times.values())


def test_a_slow_host_does_not_keep_all_threads_busy() -> None:
    _, lane = lane_of(1e6, workers=4)
    fill(lane, "a", 10)
    fill(lane, "b", 1)
    jobs = [take(lane) for _ in range(3)]
    assert Counter(job.host.name for job in jobs) == {"http://a.example": 2, "http://b.example": 1}
    # with b still under way, a fourth thread is kept for it
    assert len(lane._aside) == 1
    lane.done(jobs[[job.host.name for job in jobs].index("http://b.example")])
    assert [take(lane).host.name for _ in range(2)] == 2 * ["http://a.example"]


def test_a_host_that_is_asked_for_its_robots_holds_up_only_itself() -> None:
    traffic, lane = lane_of(1e6)
    lane.put(Job(address("new", 0), 0))
    lane.put(Job(address("new", 1), 1))
    fill(lane, "a", 2)
    asking = take(lane)
    assert asking.host.name == "http://new.example"
    assert [take(lane).host.name for _ in range(2)] == 2 * ["http://a.example"]
    got: list[Job[int] | None] = []
    waiting = threading.Thread(target=lambda: got.append(lane.get()))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    traffic.heed(asking.host, Rules())
    lane.again(asking, first=True)
    waiting.join(5)
    assert got == [asking]
    assert take(lane).item == 1


def test_a_delay_that_the_host_asks_for_counts_from_then_on() -> None:
    traffic, lane = lane_of(1e6)
    fill(lane, "a", 3)
    traffic.heed(traffic.host(address("a")), Rules(delay=0.1))
    log = in_threads(2, lane)
    assert log[2][0] - log[0][0] >= 0.17


def test_a_job_comes_again_not_before_its_time_and_holds_no_thread() -> None:
    _, lane = lane_of(1e6, workers=1)
    fill(lane, "a", 3)
    first = take(lane)
    began = time.monotonic()
    lane.again(first, seconds=0.1)
    for number in (1, 2):
        job = take(lane)
        assert job.item == number
        lane.done(job)
    assert take(lane) is first
    assert time.monotonic() - began >= 0.1
    lane.done(first)
    assert lane.get() is None


def test_a_job_that_is_led_elsewhere_waits_for_that_host() -> None:
    _, lane = lane_of(1e6)
    fill(lane, "a", 1)
    job = take(lane)
    job.address = address("b")
    lane.again(job)
    assert take(lane).host.name == "http://b.example"


def test_a_host_that_wants_to_be_left_alone_is() -> None:
    traffic, lane = lane_of(1e6)
    fill(lane, "a", 1)
    fill(lane, "b", 1)
    traffic.pause(traffic.host(address("a")), 0.1)
    began = time.monotonic()
    assert [take(lane).host.name[7] for _ in range(2)] == ["b", "a"]
    assert time.monotonic() - began >= 0.1


def test_a_turn_that_was_not_used_is_given_back() -> None:
    traffic, lane = lane_of(0.001)
    fill(lane, "a", 3)
    for number in range(3):
        job = take(lane)
        assert job.item == number
        traffic.refund(job)
        lane.done(job)


def test_this_machine_has_no_pace() -> None:
    _, lane = lane_of(0.001)
    for number in range(5):
        lane.put(Job("", number))
    assert [take(lane).item for _ in range(4)] == list(range(4))


def test_a_host_is_given_up_after_failures_in_a_row_but_not_for_those_of_one_moment() -> None:
    traffic, _ = lane_of(1)
    host = traffic.host(address("a"))
    together = time.monotonic()
    for _ in range(3 * STRIKES):
        traffic.strike(host, together)
    assert (host.strikes, host.given_up) == (1, False)
    for _ in range(STRIKES - 1):
        assert not host.given_up
        time.sleep(0.001)
        traffic.strike(host, time.monotonic())
    assert host.given_up


def test_stop_wakes_all_that_wait() -> None:
    traffic, lane = lane_of(1)
    lane.put(Job(address("a"), 0))
    take(lane)
    threads = [threading.Thread(target=lane.get) for _ in range(4)]
    for thread in threads:
        thread.start()
    traffic.stop()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_lanes_do_not_end_while_more_is_to_come() -> None:
    traffic, lane = lane_of(1e6)
    with traffic.open():
        lane.put(Job(address("a"), 0))
        lane.done(take(lane))
        assert not traffic.finished.is_set()
    assert traffic.finished.is_set()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_lanes_end_with_a_feeder_that_breaks_off(error: type[BaseException]) -> None:
    traffic, lane = lane_of(1)
    with pytest.raises(error), traffic.open():
        raise error
    assert lane.get() is None


def test_a_turn_is_given_back_only_as_long_as_it_is_the_last() -> None:
    traffic, lane = lane_of(50)
    fill(lane, "a", 3)
    late = take(lane)
    lane.done(take(lane))
    after = late.host.pace.free_at
    traffic.refund(late)
    assert late.host.pace.free_at == after


def test_a_job_that_ends_without_having_asked_for_robots_leaves_that_to_the_next() -> None:
    traffic, lane = lane_of(1e6)
    other: Lane[int] = Lane(traffic, 1)
    lane.put(Job(address("new"), 0))
    other.put(Job(address("new"), 1))
    first = take(lane)
    lane.done(first)
    second = take(other)
    assert (first.asks, second.asks) == (False, True)


def test_a_pace_of_years_is_no_error() -> None:
    traffic, lane = lane_of(1e-300)
    fill(lane, "a", 2)
    take(lane)
    waiting = threading.Thread(target=lane.get)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    traffic.stop()
    waiting.join(5)
    assert not waiting.is_alive()


def test_the_hosts_of_one_machine_share_its_pace() -> None:
    traffic, lane = lane_of(20)
    addresses = [f"{scheme}://{name}/1" for scheme in ("http", "https") for name in ("m.example", "M.example.")]
    hosts = [traffic.host(address) for address in addresses]
    assert [host.name for host in hosts] == 2 * ["http://m.example"] + 2 * ["https://m.example"]
    assert traffic.host("http://m.example:8080/").pace is not hosts[0].pace
    for host, address in zip(hosts, addresses, strict=True):
        traffic.heed(host, Rules())
        lane.put(Job(address, 0))
    log = in_threads(4, lane)
    assert log[3][0] - log[0][0] >= 3 / 20 - 0.03


def test_rules_are_asked_for_elsewhere_at_the_pace_of_that_place() -> None:
    traffic, lane = lane_of(10)
    lane.put(Job(address("new"), 0))
    fill(lane, "a", 2)
    asking, first = take(lane), take(lane)
    assert [job.host.name[7:-8] for job in (asking, first)] == ["new", "a"]
    began = time.monotonic()
    traffic.lead(asking.host, address("a", 7))
    lane.again(asking, first=True)
    assert take(lane) is asking
    second = time.monotonic() - began
    assert asking.host.robots_at == address("a", 7)
    assert take(lane).host.name == first.host.name
    assert second >= 0.1 - 0.03
    assert time.monotonic() - began - second >= 0.1 - 0.03


def test_hosts_that_share_a_pace_take_turns() -> None:
    traffic, lane = lane_of(30)
    for scheme in ("http", "https"):
        traffic.heed(traffic.host(f"{scheme}://m.example/"), Rules())
        for number in range(4):
            lane.put(Job(f"{scheme}://m.example/{number}", number))
    turns = []
    for _ in range(8):
        job = take(lane)
        turns.append(job.host.name.partition(":")[0])
        lane.done(job)
    assert turns == 4 * ["http", "https"]
