"""Campaigns in a list, from what each has written in its folder: no database is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from visionlab.campaigns.results import short
from visionlab.comparison.measures import show
from visionlab.comparison.summary import Summary

HEADINGS = ("campaign", "started", "status", "kind", "runs", "best", "by", "with")


def rows(campaigns: Sequence[Summary]) -> list[list[str]]:
    """The lines of a table, its headings first."""
    return [list(HEADINGS), *map(_row, campaigns)]


def as_object(campaign: Summary) -> dict[str, Any]:
    """A campaign for `--json`."""
    return {"campaign": campaign.run.id, "folder": str(campaign.run.path), "status": campaign.status} | campaign.report


def _row(campaign: Summary) -> list[str]:
    report = campaign.report
    counts, best = report.get("counts", {}), report.get("best")
    done = counts.get("finished", 0) + counts.get("pruned", 0)
    failed = f", {counts['failed']} failed" if counts.get("failed") else ""
    metric = report.get("objectives", [""])[0]
    settings = best["settings"] if best else {}
    return [
        campaign.run.id,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(campaign.start["time"] / 1000)),
        campaign.status,
        str(campaign.start["proposer"]),
        f"{done}/{report.get('total', '?')}{failed}",
        show(metric, best["values"][0]) if best else "",
        metric,
        " ".join(f"{path.rpartition('.')[2]}={short(value)}" for path, value in settings.items()),
    ]
