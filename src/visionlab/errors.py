"""Errors that are the user's to mend: printed as plain lines, without a traceback, with exit code 2."""

from __future__ import annotations


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
