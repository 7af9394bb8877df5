"""Signals wait for the step under way, but not for ever."""

from __future__ import annotations

import os
import signal
import time

import pytest

from visionlab.errors import InterruptedRun
from visionlab.training import interruption
from visionlab.training.interruption import Interruption


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_outside_of_training_a_signal_raises_at_once(number: signal.Signals, code: int) -> None:
    with pytest.raises(InterruptedRun, match=number.name) as raised, Interruption():
        os.kill(os.getpid(), number)
    assert raised.value.exit_code == code


def test_in_training_the_first_signal_waits_and_the_second_does_not() -> None:
    with Interruption() as watched:
        watched.deferred = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert watched.received == signal.SIGTERM
        with pytest.raises(InterruptedRun, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_step_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "GRACE_SECONDS", 0.1)
    with Interruption() as watched:
        watched.deferred = True
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(InterruptedRun, match="SIGINT") as raised:
            time.sleep(20)
    assert raised.value.exit_code == 130


def test_what_was_ignored_stays_ignored() -> None:
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as watched:
            os.kill(os.getpid(), signal.SIGHUP)
        assert watched.received is None
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, usual)


def test_afterwards_signals_mean_what_they_meant() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    with Interruption() as watched:
        watched.deferred = True
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
