"""Errors that are the user's to mend: printed as plain lines, without a traceback, with exit code 2."""

from __future__ import annotations

import signal

KILLED = "Killed"


class UserError(Exception):
    """Something the user can put right. The message says what, where, expected, given and what to do."""


class ConfigError(UserError):
    """One line for each mistake in a configuration."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class DamagedDataError(UserError):
    """A data set is on this machine, but not as it was published."""


class DataUnavailableError(UserError):
    """A data set is neither on this machine nor to be had from any of its addresses."""


class WithheldError(Exception):
    """The test set was asked for where nothing may be chosen by it."""


class RankError(Exception):
    """One of the processes that train together has failed, so all of them have ended.

    Attributes:
        rank: of the process.
        kind: class of its error, or Killed where it is gone without a word.
        details: its traceback, "" where there is none.
    """

    def __init__(self, rank: int, kind: str, message: str, details: str = "") -> None:
        super().__init__(f"rank {rank} {message}" if kind == KILLED else f"rank {rank}: {kind}: {message}")
        self.rank, self.kind, self.details = rank, kind, details

    @property
    def tags(self) -> dict[str, str]:
        """What the last record of a run that has failed so says."""
        return {"error.class": self.kind, "error.message": str(self)[:1000], "error.rank": str(self.rank)}


class PrunedRun(BaseException):
    """A run of a campaign was told that it is not worth more time. No Exception, as it is no failure."""


class InterruptedRun(BaseException):
    """A run was told to stop by a signal.

    No Exception, so that nobody takes it for a failure, and no KeyboardInterrupt, which Lightning answers by leaving
    the program.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = signal.Signals(number)

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that died of the signal."""
        return 128 + self.signal
