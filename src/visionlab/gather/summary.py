"""The manifest in numbers: per class, per reason, per source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from visionlab.comparison.table import aligned
from visionlab.gather.manifest import Row


def summary_lines(rows: Sequence[Row]) -> list[str]:
    """Three small tables: what came of the images of each class, why images were dropped, and what each source gave."""
    classes = list(dict.fromkeys(row.label for row in rows))
    return [
        *_table("class", classes, {row.label: [] for row in rows} | _grouped(rows, "label")),
        "",
        *_reasons(rows, classes),
        "",
        *_table("source", list(dict.fromkeys(row.source for row in rows)), _grouped(rows, "source")),
    ]


def _grouped(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(getattr(row, column), []).append(row)
    return groups


def _table(heading: str, names: Sequence[str], groups: dict[str, list[Row]]) -> list[str]:
    everything = [row for name in names for row in groups[name]]
    lines = [[heading, "found", "fetched", "kept", "dropped"]]
    for name, rows in [*((name, groups[name]) for name in names), ("together", everything)]:
        kept = sum(row.decision == "keep" for row in rows)
        fetched = sum(bool(row.sha256) for row in rows)
        lines.append([name, *(f"{count:,}" for count in (len(rows), fetched, kept, len(rows) - kept))])
    return aligned(lines, right=(1, 2, 3, 4))


def _reasons(rows: Sequence[Row], classes: Sequence[str]) -> list[str]:
    counts = Counter((row.reason, row.label) for row in rows if row.decision == "drop")
    totals = Counter(row.reason for row in rows if row.decision == "drop")
    if not totals:
        return ["nothing was dropped"]
    lines = [["dropped because", *classes]]
    lines += [[reason, *(f"{counts[reason, label]:,}" for label in classes)] for reason, _ in totals.most_common()]
    return aligned(lines, right=range(1, len(classes) + 1))
