"""What a campaign shows while it goes on: a live table on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from visionlab.campaigns.results import Child, Results
from visionlab.comparison.measures import show

if TYPE_CHECKING:
    from rich.console import RenderableType

Title = Callable[[Child], str]
ROWS = 16  # of the live table: what is under way, and what ended last
STYLES = {"running": "bold", "finished": "green", "pruned": "dim", "failed": "red", "interrupted": "yellow"}
SECONDS_BETWEEN_FRAMES = 0.25


class View(Protocol):
    """Is told of everything that happens."""

    def event(self, child: Child, words: str) -> None:
        """Something has happened to a run."""

    def update(self, results: Results, latest: Mapping[int, float]) -> None:
        """How things are, at least a few times a second.

        Args:
            latest: by number the last value of the metric of runs under way.
        """

    def close(self) -> None:
        """Show nothing more."""


def make_view(workers: int, title: Title) -> View:
    """The view that suits the output; `title` is what runs are called in it."""
    return LiveTable(workers, title) if sys.stdout.isatty() else Lines(title)


class Lines:
    """A line for each event, with how many are done."""

    def __init__(self, title: Title) -> None:
        self._title = title
        self._total, self._done = 0, 0

    def event(self, child: Child, words: str) -> None:
        print(f"[{self._done}/{self._total}] {self._title(child)}  {words}", flush=True)

    def update(self, results: Results, latest: Mapping[int, float]) -> None:
        self._total, self._done = results.total, done(results)

    def close(self) -> None:
        pass


class LiveTable:
    """One table that is drawn over itself, with progress and the time left.

    Args:
        workers: runs at a time.
        title: what a run is called, its number first.
    """

    def __init__(self, workers: int, title: Title) -> None:
        from rich.live import Live

        self._workers, self._title = workers, title
        self._started, self._drawn = time.monotonic(), 0.0
        self._begun: dict[int, float] = {}
        self._live = Live(auto_refresh=False, transient=True)
        self._live.start()

    def event(self, child: Child, words: str) -> None:
        if child.state in ("failed", "interrupted"):
            self._live.console.print(f"{self._title(child)}  {words}", markup=False, highlight=False)

    def update(self, results: Results, latest: Mapping[int, float]) -> None:
        now = time.monotonic()
        if now - self._drawn > SECONDS_BETWEEN_FRAMES:
            self._drawn = now
            self._live.update(self._render(results, latest), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _render(self, results: Results, latest: Mapping[int, float]) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("run", "state", "what differs", results.objectives[0].metric, "time"):
            table.add_column(heading, justify="right" if heading in (results.objectives[0].metric, "time") else "left")
        for child in _shown(results):
            metric = child.values[0] if child.values else latest.get(child.number)
            table.add_row(
                f"{child.number:03}",
                child.state,
                Text(self._title(child).partition(" ")[2], overflow="ellipsis", no_wrap=True),
                "" if metric is None else show(results.objectives[0].metric, metric),
                f"{self._seconds(child):.0f} s" if child.state != "waiting" else "",
                style=STYLES.get(child.state, ""),
            )
        count = done(results)
        bar = ProgressBar(total=results.total, completed=count, width=24)
        line = Table.grid(padding=(0, 1))
        line.add_row(f"{results.name}", bar, progress_words(results, time.monotonic() - self._started, self._workers))
        return Group(table, line)

    def _seconds(self, child: Child) -> float:
        if child.seconds is not None:
            return child.seconds
        now = time.monotonic()
        return now - self._begun.setdefault(child.number, now)


def done(results: Results) -> int:
    """How many configurations need nothing more: with a result, pruned, or given up."""
    by_proposal: dict[int, list[Child]] = {}
    for child in results.children:
        by_proposal.setdefault(child.proposal, []).append(child)
    return sum(
        any(child.state in ("finished", "pruned") for child in tries)
        or (all(child.state in ("failed", "interrupted") for child in tries) and _failures(tries) >= 2)
        for tries in by_proposal.values()
    )


def progress_words(results: Results, elapsed: float, workers: int) -> str:
    """`12/50, best val/accuracy 91.2 %, 3:20, about 10:40 left`."""
    parts = [f"{done(results)}/{results.total}"]
    if results.best is not None:
        metric = results.objectives[0].metric
        parts.append(f"best {metric} {show(metric, results.best.values[0])} ({results.best.number:03})")
    parts.append(clock(elapsed))
    seconds = [
        child.seconds for child in results.children if child.seconds is not None and child.state != "interrupted"
    ]
    left = results.total - done(results)
    if seconds and left > 0:
        parts.append(f"about {clock(math.ceil(left / workers) * sum(seconds) / len(seconds))} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """`3:20`, or `1:03:20`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _failures(tries: list[Child]) -> int:
    return sum(child.state == "failed" for child in tries)


def _shown(results: Results) -> list[Child]:
    running = [child for child in results.children if child.state == "running"]
    ended = [child for child in results.children if child.state not in ("running", "waiting")]
    waiting = [child for child in results.children if child.state == "waiting"]
    room = max(ROWS - len(running), 0)
    kept = ended[-room:] if room else []
    return sorted([*kept, *running, *waiting[: room - len(kept)]], key=lambda child: child.number)
