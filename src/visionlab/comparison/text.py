"""A comparison as text of at most 100 columns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visionlab.comparison import bootstrap, differences
from visionlab.comparison.measures import is_percentage, show
from visionlab.comparison.sides import Side, same_validation_images
from visionlab.comparison.table import aligned
from visionlab.comparison.verdict import Verdict, changed_cells, detail, headline, points
from visionlab.figures.style import shorten

WIDTH = 100
LONGEST_NAME = 30


def describe(compared: Sequence[Side], found: Sequence[Verdict], without: Mapping[str, str]) -> Iterator[str]:
    """Every line of the comparison.

    Args:
        compared: the runs.
        found: the verdicts on those that can be compared image by image.
        without: by letter, why the others cannot.
    """
    yield from aligned([_introduction(side) for side in compared], ())
    yield from _section("settings that differ", differences.settings(compared), compared)
    yield from _section("code, machine and data that differ", differences.origin(compared), compared)
    if differing := [row[0] for row in differences.settings(compared) if row[0].startswith("loss.")]:
        yield f"The losses are not comparable: {', '.join(differing)}. The log loss of the test images is."
    yield from _section("validation", _results(compared, [side.summary.validation for side in compared]), compared)
    if not same_validation_images(compared):
        yield "These are not the same images for all runs: other settings or another content of the data."
    tested = [side for side in compared if side.predictions is not None]
    results = [_tested(side) for side in tested]
    yield from _section("test", _results(tested, results), tested)
    yield from (f"{letter}: {why}." for letter, why in without.items())
    for verdict in found:
        yield from _against(verdict)
    if found:
        yield ""
        yield f"Intervals: {bootstrap.RESAMPLES:,} paired resamples of the test images."
        if len(found) > 1:
            yield f"p-values of accuracy are adjusted for {len(found)} comparisons (Holm)."
        yield "None of this says what other seeds would have given, which can differ by as much."


def _introduction(side: Side) -> list[str]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(side.summary.start["time"] / 1000))
    return [side.letter, shorten(side.run.id, 60), started, side.summary.status]


def _section(title: str, rows: list[list[str]], sides: Sequence[Side]) -> list[str]:
    """A table with a column for each run; nothing at all without rows."""
    if not rows:
        return []
    names = [shorten(row[0], LONGEST_NAME) for row in rows]
    longest = max((WIDTH - max(map(len, [*names, title]))) // len(sides) - 2, 6)
    table = [[name, *(shorten(cell, longest) for cell in row[1:])] for name, row in zip(names, rows, strict=True)]
    heading = [title, *(side.letter for side in sides)]
    return ["", *aligned([heading, *table], range(1, len(heading)))]


def _results(sides: Sequence[Side], results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    names = dict.fromkeys(name for result in results for name in result)
    return (
        [[name.replace("_", " "), *(show(name, result.get(name)) for result in results)] for name in names]
        if sides
        else []
    )


def _tested(side: Side) -> dict[str, float]:
    assert side.predictions is not None
    log_loss = bootstrap.scores(side.predictions, side.positive)["log_loss"]
    results: dict[str, float] = side.summary.report["test"]
    return results | {"log_loss": log_loss}


def _against(verdict: Verdict) -> Iterator[str]:
    first, second = verdict.first.letter, verdict.second.letter
    rows = [[f"{second} - {first}, {verdict.images:,} test images", "difference", "95 % interval"]]
    for metric, interval in verdict.intervals.items():
        if is_percentage(metric):
            texts = [points(value, 2, signed=True) for value in interval]
        else:
            texts = [f"{value:+.4f}" for value in interval]
        unit = " (points)" if is_percentage(metric) else ""
        rows.append([metric.replace("_", " ") + unit, texts[0], f"{texts[1]} to {texts[2]}"])
    yield ""
    yield from aligned(rows, (1, 2))
    yield f"{headline(verdict)}:"
    yield f"  {detail(verdict)}."
    yield from changed_cells(verdict)
