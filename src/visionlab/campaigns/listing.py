"""Campaigns in a list, from what each has written in its folder: no database is asked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from visionlab.campaigns.results import short
from visionlab.comparison.measures import show
from visionlab.comparison.summary import Summary
from visionlab.labs.conclusion import EFFECTS

HEADINGS = ("campaign", "started", "status", "kind", "runs", "result", "of", "with")


def rows(campaigns: Sequence[Summary]) -> list[list[str]]:
    """The lines of a table, its headings first."""
    return [list(HEADINGS), *map(_row, campaigns)]


def as_object(campaign: Summary) -> dict[str, Any]:
    """A campaign for `--json`."""
    return {"campaign": campaign.run.id, "folder": str(campaign.run.path), "status": campaign.status} | campaign.report


def _row(campaign: Summary) -> list[str]:
    report = campaign.report
    counts = report.get("counts", {})
    done = counts.get("finished", 0) + counts.get("pruned", 0)
    failed = f", {counts['failed']} failed" if counts.get("failed") else ""
    return [
        campaign.run.id,
        time.strftime("%Y-%m-%d %H:%M", time.localtime(campaign.start["time"] / 1000)),
        campaign.status,
        str(campaign.start["proposer"]),
        f"{done}/{report.get('total', '?')}{failed}",
        *_result(campaign),
    ]


def _result(campaign: Summary) -> tuple[str, str, str]:
    """What a campaign came to, of what, and with which settings: a mean, effects that were seen, or the best."""
    report, kind = campaign.report, str(campaign.start["proposer"])
    metric = report.get("objectives", [""])[0]
    if not metric:  # nothing was written yet
        return "", "", ""
    if kind == "lab":
        effects = report.get(EFFECTS, []) if campaign.status == "FINISHED" else []  # else of an earlier time
        return (f"{sum(bool(one['seen']) for one in effects)} of {len(effects)}" if effects else "", "effects seen", "")
    if kind in ("crossval", "repeat"):
        found = report.get("estimate") or {"mean": None, "std": None}
        mean, deviation = (show(metric, found[name]) for name in ("mean", "std"))
        return f"{mean} ± {deviation}" if deviation else mean, f"mean {metric}", ""
    best = report.get("best")
    settings = best["settings"] if best else {}
    return (
        show(metric, best["values"][0]) if best else "",
        f"best {metric}",
        " ".join(f"{path.rpartition('.')[2]}={short(value)}" for path, value in settings.items()),
    )
