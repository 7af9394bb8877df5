"""Which process has failed first, and how: what others say after it are mostly consequences."""

from __future__ import annotations

import os
import queue
import re
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from visionlab.errors import KILLED, InterruptedRun, RankError
from visionlab.training.lifeline import Message, News

# what torch says when a process at the other end is gone
CONSEQUENCES = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|socket", re.IGNORECASE)
SETTLING_SECONDS = 1.5  # for errors of the same moment to arrive
CAUSE_SECONDS = 5.0  # where only consequences have been heard of
STOP_SECONDS = 15.0  # for rank 0 to stop by itself where the others have
ZOMBIE_SECONDS = 0.1
DEATH_SECONDS = 10.0  # from the end of a process's connections to its own, on a machine however busy
KILLED_SOMEHOW = "was killed"


def is_consequence(error: BaseException | None) -> bool:
    """Whether an error is what torch raises where another process is gone."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return type(error) is RuntimeError and CONSEQUENCES.search(str(error)) is not None


def describe(error: BaseException) -> Message:
    """What a process says of its end to rank 0."""
    if isinstance(error, InterruptedRun):
        return {"stopped": int(error.signal)}
    return {
        "failed": type(error).__name__,
        "message": str(error)[:1000],
        "details": "".join(traceback.format_exception(error))[-20_000:],
        "is_consequence": is_consequence(error),
    }


class Failures:
    """What rank 0 hears of the ends of the other processes.

    Args:
        exit_code_of: of a process that has ended, as `Popen` has it; None where that is not known.
    """

    def __init__(
        self, news: queue.SimpleQueue[News], world_size: int, exit_code_of: Callable[[int], int | None]
    ) -> None:
        self._news, self._exit_code_of = news, exit_code_of
        self._hellos: dict[int, Message] = {}
        self.missing = set(range(1, world_size))
        self._ended: set[int] = set()
        self._errors: list[RankError] = []
        self._consequences: list[RankError] = []
        self._stopped: list[InterruptedRun] = []

    @property
    def found(self) -> bool:
        return bool(self._errors or self._consequences or self._stopped)

    @property
    def only_stopped(self) -> bool:
        """Whether all that has been heard of is that processes obeyed a signal."""
        return not self._errors and not self._consequences

    @property
    def cause(self) -> BaseException:
        """The first error that no other one explains."""
        return [*self._errors, *self._consequences, *self._stopped][0]

    def knows(self, rank: int) -> bool:
        """Whether the process is connected, or has said how it ends."""
        return rank in self._hellos or rank in self._ended

    def listen(self, seconds: float) -> None:
        """Take in what is heard next, if anything within this time."""
        try:
            rank, message = self._news.get(timeout=seconds)
        except queue.Empty:
            return
        if message is None:
            if rank not in self._ended:
                self.is_gone(rank)
        elif "token" in message:
            self._hellos[rank] = message
            self.missing.discard(rank)
        else:
            self._ended.add(rank)
            self.missing.discard(rank)
            self._take(rank, message)

    def listen_for_the_cause(self) -> None:
        """Once something is wrong, hear what the others have to say of it."""
        start = time.monotonic()
        while True:
            enough = SETTLING_SECONDS if self._errors else CAUSE_SECONDS if self._consequences else STOP_SECONDS
            left = start + enough - time.monotonic()
            if left <= 0:
                return
            self.listen(left)

    def is_gone(self, rank: int) -> None:
        """Note that a process has ended without a word."""
        self._ended.add(rank)
        self.missing.discard(rank)
        hello = self._hellos.get(rank, {})
        here = hello.get("host") in (None, socket.gethostname())
        code = self._exit_code_of(rank)
        if code is None and here and "pid" in hello:
            code = _exit_code_of_zombie(hello["pid"])
        if code is None:
            how = KILLED_SOMEHOW if here else f"{KILLED_SOMEHOW}, or its machine {hello['host']} is gone"
        else:
            how = _in_words(code)
        self._errors.append(RankError(rank, KILLED, how))

    def never_came(self, seconds: float) -> None:
        """Note that processes have not arrived."""
        for rank in sorted(self.missing):
            self._errors.append(RankError(rank, KILLED, f"has not come within {seconds:.0f} s"))

    def _take(self, rank: int, message: Message) -> None:
        if "stopped" in message:
            self._stopped.append(InterruptedRun(message["stopped"]))
        elif "failed" in message:
            error = RankError(rank, message["failed"], message["message"], message["details"])
            (self._consequences if message["is_consequence"] else self._errors).append(error)


def death_of(pid: int) -> str | None:
    """How a process of this machine has died just now, in words; None where it lives."""
    end = time.monotonic() + DEATH_SECONDS
    while time.monotonic() < end:
        code = _exit_code_of_zombie(pid)
        if code is not None:
            return _in_words(code)
        try:
            os.kill(pid, 0)
        except OSError:
            return KILLED_SOMEHOW
    return None


def _in_words(code: int) -> str:
    """Args: code: as `Popen` has it."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _exit_code_of_zombie(pid: int) -> int | None:
    """The exit code of a process that has ended but was not asked for it by the one that has started it.

    Linux alone tells, and only until then: torchrun asks ten times a second.
    """
    end = time.monotonic() + ZOMBIE_SECONDS
    while time.monotonic() < end:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return None
        if fields[0] == "Z":
            return os.waitstatus_to_exitcode(int(fields[-1]))
        time.sleep(0.001)
    return None
