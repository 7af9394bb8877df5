"""How far a crawl is: a bar for each class, or a line now and then, and what a source had to say."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 30  # from one line to the next, where there is no terminal to draw bars on


class Progress:
    """Watches a crawl from its threads.

    Args:
        classes: each has a bar of its own.
    """

    def __init__(self, classes: Iterable[str]) -> None:
        names = list(classes)
        width = max(len(name) for name in names)
        self._bars: dict[str, tqdm[Any]] = {
            name: tqdm(total=0, desc=name.ljust(width), unit="image", disable=None, dynamic_ncols=True)
            for name in names
        }
        self._found: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._spoken = time.monotonic()
        self._failed: dict[str, Counter[str]] = {name: Counter() for name in names}
        self._said: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def found(self, label: str) -> None:
        """An address was found that was not known before."""
        with self._lock:
            self._found[label] += 1
            self._bars[label].total = self._found[label]

    def fetched(self, label: str) -> None:
        """The image of an address has come."""
        with self._lock:
            self._end_one(label)

    def failed(self, label: str, reason: str) -> None:
        """The image of an address cannot be had."""
        with self._lock:
            self._failed[label][reason] += 1
            common = ", ".join(f"{count:,} {reason}" for reason, count in self._failed[label].most_common(2))
            self._bars[label].set_postfix_str(f"of these {common}", refresh=False)
            self._end_one(label)

    def source_said(self, name: str, text: str) -> None:
        """A source or one of its pages is left out, for this reason."""
        with self._lock:
            self._said[name, text] += 1
            if self._said[name, text] == 1:
                tqdm.write(f"{name}: {text}", file=sys.stderr)

    def _end_one(self, label: str) -> None:
        self._done[label] += 1
        self._bars[label].update()
        if self._bars[label].disable and time.monotonic() - self._spoken > LINE_SECONDS:
            self._spoken = time.monotonic()
            words = (f"{name} {self._done[name]:,} of {self._found[name]:,} found" for name in self._bars)
            print(f"done: {', '.join(words)}", file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self._bars.values():
            bar.close()
        for (name, text), count in self._said.items():
            if count > 1:
                tqdm.write(f"{name}: {text} ({count:,} times)", file=sys.stderr)
