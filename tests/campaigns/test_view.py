"""What a campaign shows while it goes on."""

from __future__ import annotations

import io

import pytest

from visionlab.campaigns.results import Child, Results, State, label
from visionlab.campaigns.view import Lines, LiveTable, clock, done, progress_words
from visionlab.config.search import Objective


def child(number: int, state: State, proposal: int | None = None, **content: object) -> Child:
    values = (0.5 + number / 100,) if state == "finished" else ()
    seconds = None if state in ("running", "waiting") else 10.0
    settings = {"optimizer.lr": 0.1 * (number + 1), "model.hidden": (8, number)}
    where = number if proposal is None else proposal
    return Child(number, state, settings, values, proposal=where, seconds=seconds, **content)  # type: ignore[arg-type]


def made(*children: Child, total: int = 8) -> Results:
    return Results("search", "tune", (Objective(),), total, children)


def test_done_is_what_has_a_result_was_pruned_or_was_given_up() -> None:
    assert done(made(child(0, "finished"), child(1, "pruned"), child(2, "running"), child(3, "waiting"))) == 2
    assert done(made(child(0, "failed"))) == 0  # it will be tried again
    assert done(made(child(0, "failed"), child(1, "failed", proposal=0))) == 1
    assert done(made(child(0, "failed"), child(1, "finished", proposal=0))) == 1
    assert done(made(child(0, "interrupted"), child(1, "interrupted", proposal=0))) == 0


def test_the_time_left_is_that_of_the_runs_so_far_over_the_workers() -> None:
    found = made(child(0, "finished"), child(1, "finished"), child(2, "interrupted"))
    assert progress_words(found, 25, workers=2) == "2/8, best val/accuracy 51.00% (001), 0:25, about 0:30 left"
    assert progress_words(found, 25, workers=1).endswith("about 1:00 left")
    assert progress_words(made(total=2), 5, workers=1) == "0/2, 0:05"


@pytest.mark.parametrize(("seconds", "words"), [(5, "0:05"), (200, "3:20"), (3800, "1:03:20")])
def test_a_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_a_line_for_each_event_says_how_many_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    view = Lines(label)
    view.update(made(child(0, "finished"), total=3), {})
    view.event(child(1, "running"), "started")
    assert capsys.readouterr().out == "[1/3] 001 lr=0.2 hidden=[8,1]  started\n"


def test_the_table_shows_what_is_under_way_and_what_ended_last() -> None:
    from rich.console import Console

    view = LiveTable(2, label)
    view.close()
    children = [child(number, "finished") for number in range(30)]
    children += [child(30, "running"), child(31, "pruned"), child(32, "failed"), child(33, "waiting")]
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(view._render(made(*children, total=40), {30: 0.875}))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    rows = [line.split()[0] for line in text.splitlines()[1:-1]]
    assert rows[0] == "017"
    assert rows[-3:] == ["030", "031", "032"]
    (running,) = [line for line in text.splitlines() if line.startswith("030")]
    assert "87.50%" in running
    assert "31/40" in text.splitlines()[-1]
