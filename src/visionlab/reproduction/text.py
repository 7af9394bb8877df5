"""A reproduction as text of at most 100 columns, and as an object for JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from visionlab.comparison.measures import is_percentage
from visionlab.comparison.table import aligned
from visionlab.comparison.verdict import show_p
from visionlab.figures.style import shorten
from visionlab.reproduction.facts import NONE, PACKAGES, SHORT, Kind, Row
from visionlab.reproduction.original import Original
from visionlab.reproduction.outcome import Images, Metric, Outcome, Parting, Verdict
from visionlab.tracking import journal

LONGEST = 36  # characters of a fact
HASHES = ("code", "lock", "data", "first weights")
WEIGHTS = {True: "equal to the last bit", False: "not equal", None: "cannot be compared, a checkpoint is missing"}


def introduction(original: Original) -> Iterator[str]:
    """Which run it is, and what is special about reproducing it."""
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(original.start["time"] / 1000))
    params = original.start["params"]
    yield f"original  {original.run.id}, {params['model.name']} on {params['data.name']}, of {started}"
    if not original.is_tested:
        yield "          of a campaign, so its reproduction is compared by validation and not tested either"
    if original.resumed:
        changes = ", ".join(f"{key} {change}" for key, change in original.resumed.items())
        yield f"          went on with other settings ({changes}):"
        yield "          it is trained from its first step on with those of its end, which need not come to the same"
    if original.lacking:
        what = "1 setting" if len(original.lacking) == 1 else f"{len(original.lacking)} settings"
        yield f"          lacks {what} of this version, not recorded below: today's defaults are taken"


def circumstances(rows: Sequence[Row]) -> Iterator[str]:
    """What is the same and what differs; rows that differ have something in the last column."""
    table = [["", "then", "now"]]
    for row in rows:
        # packages that differ are named in full: nothing stands behind them
        now = "same" if row.is_same else str(row.now) if row.name == PACKAGES else _fact(row, row.now, "missing")
        table.append([row.name, _fact(row, row.then, "not recorded"), now])
    yield ""
    yield from aligned(table, ())
    differing = [row.name for row in rows if not row.is_same and row.kind is not Kind.NOTE]
    yield ""
    if differing:
        yield f"differs: {', '.join(differing)}"
    elif all(row.is_same for row in rows):
        yield "everything is the same"
    else:
        yield "nothing differs that results are known to depend on"
    yield ""


def outcome(found: Outcome) -> Iterator[str]:
    """How it came out."""
    yield ""
    rows = [["", "original", "reproduction", "difference", "tolerated", ""]]
    rows += [_metric(metric) for metric in found.metrics]
    yield from aligned(rows, (1, 2, 3, 4))
    yield ""
    yield f"chosen weights     {WEIGHTS[found.weights['chosen']]}"
    yield f"last weights       {WEIGHTS[found.weights['last']]}"
    yield f"course of training {_course(found.parting, found.points)}"
    for images in found.images:
        yield from _images(images)
    yield ""
    yield from _conclusion(found)


def as_object(original: Original, rows: Sequence[Row], found: Outcome | None = None) -> dict[str, Any]:
    """What the texts say, for `--json`."""
    content: dict[str, Any] = {
        "original": original.run.id,
        "tested": original.is_tested,
        "resumed": dict(original.resumed),
        "circumstances": [
            {"name": row.name, "then": row.then, "now": row.now, "same": row.is_same, "about": row.kind.value}
            for row in rows
        ],
    }
    if found is not None:
        content |= {
            "reproduction": found.reproduction.id,
            "verdict": found.verdict.value,
            "tolerance_because": list(found.excuses),
            "metrics": [
                metric._asdict() | {"tolerated": metric.tolerated and list(metric.tolerated)}
                for metric in found.metrics
            ],
            "weights_equal": dict(found.weights),
            "points": found.points,
            "parting": found.parting and found.parting._asdict(),
            "images": [images._asdict() | {"discordant": images.discordant._asdict()} for images in found.images],
        }
    return dict(journal.without_nan(content))


def _fact(row: Row, value: str | None, absent: str) -> str:
    if value is None:
        return absent
    return value[:SHORT] if row.name in HASHES and value != NONE else shorten(value, LONGEST)


def _metric(metric: Metric) -> list[str]:
    name = f"{metric.split} {metric.name.replace('_', ' ')}"
    values = [_value(metric.name, value) for value in (metric.original, metric.reproduction)]
    both = metric.original is not None and metric.reproduction is not None
    difference = "0"
    if metric.verdict is not Verdict.EQUAL:
        difference = f"{metric.reproduction - metric.original:+.2g}" if both else "-"  # type: ignore[operator]
    tolerated = "" if metric.tolerated is None else " to ".join(_value(metric.name, end) for end in metric.tolerated)
    return [name, *values, difference, tolerated, metric.verdict]


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2%}" if is_percentage(name) else f"{value:.4f}"


def _course(parting: Parting | None, points: int) -> str:
    if parting is None:
        return f"equal in all {points:,} values"
    values = " and ".join("no value" if value is None else f"{value}" for value in parting[2:])
    return f"parts at step {parting.step:,}: {parting.name} is {values}"


def _images(images: Images) -> Iterator[str]:
    label = f"{images.split} images".ljust(18)
    if images.furthest == 0:
        yield f"{label} all {images.images:,} have equal probabilities"
        return
    first, second, p = images.discordant
    apart = f"probabilities are up to {images.furthest:.2g} apart"
    yield f"{label} {images.changed:,} of {images.images:,} have another answer, {apart}"
    yield f"{'':<18} only the original is right on {first:,}, only the reproduction on {second:,} (McNemar {show_p(p)})"


def _conclusion(found: Outcome) -> Iterator[str]:
    if found.verdict is Verdict.EQUAL:
        yield "equal: every metric, to the last bit"
        return
    count = sum(metric.verdict is Verdict.DIFFERENT for metric in found.metrics)
    if found.verdict is Verdict.WITHIN:
        yield "within tolerance: every metric is in the original's 95 % interval for its number of images"
    else:
        yield f"different: {count} of {len(found.metrics)} metrics"
    if found.excuses:
        yield f"tolerated, because: {'; '.join(found.excuses)}"
    elif other := [row.name for row in found.rows if row.kind is Kind.CONTENT and row.differs]:
        yield f"nothing is tolerated, as this is another experiment: other {', '.join(other)}"
    else:
        yield "nothing is tolerated: all that is recorded is the same, so the results should be"
