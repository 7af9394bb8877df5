"""One process at a time, the others told what they wait for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from visionlab.data.download import say


@contextmanager
def alone(file: Path, waiting: str) -> Iterator[None]:
    """Hold the lock `file`, and say `waiting` where another process has it for now."""
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        say(waiting)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
