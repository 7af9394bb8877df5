from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a data set that is not there yet."""
    return tmp_path / "pets"


@pytest.fixture
def no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails where a crawl leaves a thread; those of servers come and go."""
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    before = set(threading.enumerate())
    yield
    left = {thread.name for thread in set(threading.enumerate()) - before if "process_request" not in thread.name}
    assert not left
