"""What a check comes to."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Level(Enum):
    """How bad it is; the value is the sign it is printed with."""

    OK = "✓"
    WARNING = "!"
    FAILURE = "✗"


class Finding(NamedTuple):
    """A line of the doctor's.

    Attributes:
        text: what was found.
        advice: what to do about it; empty where all is well.
    """

    level: Level
    text: str
    advice: str = ""


def ok(text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, text)


def warning(text: str, advice: str) -> Finding:
    """Something to know: runs work, but not as well, or not yet."""
    return Finding(Level.WARNING, text, advice)


def failure(text: str, advice: str) -> Finding:
    """Runs fail, or lose something, until this is mended."""
    return Finding(Level.FAILURE, text, advice)
