"""`visionlab runs`: the runs with their headline metrics, filtered and sorted."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from visionlab import project
from visionlab.comparison.measures import less_is_better, show
from visionlab.comparison.summary import DAMAGE, Summary, summaries
from visionlab.comparison.table import aligned
from visionlab.config.suggest import did_you_mean
from visionlab.errors import UserError
from visionlab.tracking import journal

HEADINGS = ("run", "started", "status", "data", "model", "val accuracy", "training")
STARTED, DURATION = "started", "duration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "List runs, the newest last. A run whose process is gone without a last word is marked KILLED.\n"
        "Test results stay out of sight unless they are asked for: choosing is by validation."
    )
    parser.add_argument("-n", type=_count, default=20, metavar="COUNT", help="how many (default 20)")
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        help="only runs of this name, or of this MLflow experiment (data set by default)",
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        help="the best first by a metric such as val/accuracy or train/loss, or by duration (the shortest first); "
        "or by started, the newest last (default)",
        default=STARTED,
    )
    campaigns = parser.add_mutually_exclusive_group()
    campaigns.add_argument("--campaign", metavar="NAME", help="the runs of a campaign, which are else left out")
    campaigns.add_argument("--campaigns", action="store_true", help="campaigns, with their state and what they came to")
    parser.add_argument("--json", action="store_true", help="a list of objects, with every validation result")
    parser.add_argument("--test", action="store_true", help="show test results too")


def run(arguments: argparse.Namespace) -> None:
    by, with_test = arguments.sort, arguments.test
    if by.startswith(("test/", "test_")) and not with_test:
        raise UserError(f"--sort {by}: orders the runs by test results, which are for reporting; add --test to do so")
    found, damaged = summaries(project.runs())
    for line in damaged:
        print(f"visionlab: warning: {line}; passed over", file=sys.stderr)
    found = [_with_status_of_its_process(summary) for summary in found]
    if arguments.campaigns:
        _list_campaigns([one for one in found if one.is_campaign], arguments)
        return
    found = _of_campaign(found, arguments.campaign)
    chosen = [one for one in found if arguments.experiment in (None, one.name, one.experiment)]
    chosen = _sorted(chosen, by, arguments.n)
    if arguments.json:
        print(
            json.dumps([_object(one, by, with_test) for one in chosen], indent=1, ensure_ascii=False, allow_nan=False)
        )
    elif chosen:
        _print_table(chosen, by, with_test)
    elif found:
        names = sorted({name for one in found for name in (one.name, one.experiment)})
        print(f"no run of {arguments.experiment!r}; there are {', '.join(names)}")
    else:
        print(f"no run yet in {project.runs()}; `visionlab train` makes one")


def _of_campaign(found: list[Summary], name: str | None) -> list[Summary]:
    """The runs of a campaign, or those of none.

    Raises:
        UserError: there is no campaign of this name.
    """
    known = [one.run.id for one in found if one.is_campaign]
    if name is not None and name not in known:
        there = f"; there are {', '.join(known)}" if known else "; there is none yet"
        raise UserError(f"--campaign {name}: expected the name of a campaign{did_you_mean(name, known) or there}")
    return [one for one in found if not one.is_campaign and one.campaign == name]


def _list_campaigns(found: list[Summary], arguments: argparse.Namespace) -> None:
    from visionlab.campaigns.listing import as_object, rows

    chosen = [one for one in found if arguments.experiment in (None, one.name, one.experiment)][-arguments.n :]
    if arguments.json:
        print(json.dumps([as_object(one) for one in chosen], indent=1, ensure_ascii=False))
    elif chosen:
        for line in aligned(rows(chosen), ()):
            print(line)
    else:
        print(f"no campaign yet in {project.runs()}; `visionlab tune`, `crossval`, `repeat` and `grid` make one")


def _with_status_of_its_process(summary: Summary) -> Summary:
    """The run again, after it was marked if it says that it is running and its process is gone."""
    if summary.status != "RUNNING":
        return summary
    try:
        abandoned = summary.run.mark_if_abandoned()
        if abandoned:
            summary = Summary.read(summary.run)
            print(f"{summary.run.id}: its process is gone; marked {summary.status}", file=sys.stderr)
    except DAMAGE as error:
        print(f"visionlab: warning: {summary.run.path}: cannot be marked as stopped ({error})", file=sys.stderr)
    return summary


def _sorted(found: list[Summary], by: str, count: int) -> list[Summary]:
    """`count` of the runs: by default the newest, the newest last, else the best, the best first."""
    if by == STARTED:
        return found[-count:]
    values = {one.run.id: _value(one, by) for one in found}
    if found and all(value is None for value in values.values()):
        known = {DURATION, STARTED}.union(*(one.known_metrics() for one in found[-count:]))
        raise UserError(f"--sort {by}: expected a metric that a run has{did_you_mean(by, sorted(known))}")
    sign = 1 if less_is_better(by) else -1

    def rank(summary: Summary) -> tuple[bool, float]:
        value = values[summary.run.id]
        return value is None, sign * (value or 0.0)

    return sorted(found, key=rank)[:count]


def _value(summary: Summary, name: str) -> float | None:
    return summary.duration if name == DURATION else summary.metric(name)


def _print_table(found: Sequence[Summary], by: str, with_test: bool) -> None:
    extra = [by] if by not in (STARTED, DURATION, "val/accuracy", *(["test/accuracy"] if with_test else [])) else []
    headings = [*HEADINGS, *(["test accuracy"] if with_test else []), *([DURATION] if by == DURATION else extra)]
    rows = [headings]
    for one in found:
        seconds = one.report.get("training_seconds")
        row = [
            one.run.id,
            time.strftime("%Y-%m-%d %H:%M", time.localtime(one.start["time"] / 1000)),
            f"{one.status}, debug" if one.start["params"].get("debug") else one.status,
            one.start["params"]["data.name"],
            one.start["params"]["model.name"],
            show("val/accuracy", one.metric("val/accuracy")),
            "" if seconds is None else f"{seconds:.1f} s",
        ]
        if with_test:
            row.append(show("test/accuracy", one.metric("test/accuracy")))
        if by == DURATION:
            row.append(f"{one.duration:.1f} s")
        rows.append(row + [show(name, one.metric(name)) for name in extra])
    for line in aligned(rows, range(HEADINGS.index("val accuracy"), len(headings))):
        print(line)


def _object(summary: Summary, by: str, with_test: bool) -> dict[str, Any]:
    """A run for `--json`: its keys with a slash, and the two of time, are what `--sort` takes."""
    params = summary.start["params"]
    content = {
        "run": summary.run.id,
        "folder": str(summary.run.path),
        STARTED: datetime.fromtimestamp(summary.start["time"] / 1000, UTC).isoformat(),
        "status": summary.status,
        "name": summary.name,
        "experiment": summary.experiment,
        "data": params["data.name"],
        "model": params["model.name"],
        "seed": params.get("seed"),
        "debug": params.get("debug"),
        DURATION: summary.duration,
        "training_seconds": summary.report.get("training_seconds"),
    }
    names = [f"val/{name}" for name in summary.validation]
    if with_test:
        names += [f"test/{name}" for name in summary.report.get("test", {})]
    if by not in (STARTED, DURATION):
        names.append(by)
    whole: dict[str, Any] = journal.without_nan(content | {name: summary.metric(name) for name in names})
    return whole


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, given {text!r}")
    return int(text)
