"""Campaigns of seeds or folds beside each other: how their means differ, and what of it is chance."""

from __future__ import annotations

from collections.abc import Sequence

from visionlab.campaigns.statistics import difference, estimate
from visionlab.campaigns.words import metric, pair, setting
from visionlab.comparison.table import aligned
from visionlab.config.resolved import flatten
from visionlab.errors import UserError
from visionlab.tracking.run import Run

KINDS = ("repeat", "crossval")
LABELS = ("name", "tracking.")  # how settings begin that make no difference


def contrast(campaigns: Sequence[Run]) -> list[str]:
    """The lines that compare campaigns with the first one.

    Args:
        campaigns: two or more, done or not.

    Raises:
        UserError: they are not of seeds or folds, have no results, or not of the same metric.
    """
    names = [campaign.id for campaign in campaigns]
    if len(campaigns) < 2:
        raise UserError(f"expected two campaigns or more, given {', '.join(names)}")
    reports = {campaign.id: campaign.report() for campaign in campaigns}
    for name, report in reports.items():
        if report.get("kind") not in KINDS or len(report.get("values", ())) < 2:
            raise UserError(
                f"{name}: expected a campaign of `visionlab repeat` or `crossval` with at least two results, "
                f"given one of {report.get('kind', 'no kind')} with {len(report.get('values', ()))}"
            )
    metrics = {report["objectives"][0] for report in reports.values()}
    if len(metrics) > 1:
        raise UserError(f"expected campaigns of the same metric, given {' and '.join(sorted(metrics))}")
    (judged,) = metrics
    rows = [["", "campaign", "runs", f"{metric(judged)}, mean ± std", "less that of A (95 % interval)"]]
    first = reports[names[0]]["values"]
    for place, name in enumerate(names):
        values = reports[name]["values"]
        found, change = estimate(values), difference(values, first)
        assert found is not None
        assert change is not None
        between = pair(judged, change.low, "to", change.high)
        apart = f"{100 * change.mean:+.2f} points" if "%" in between else f"{change.mean:+.4g}"
        rows.append(
            [
                chr(ord("A") + place),
                name,
                str(found.count),
                pair(judged, found.mean, "±", found.std),
                f"{apart} ({between})" if place else "",
            ]
        )
    return [*(line.replace("\N{NO-BREAK SPACE}", " ") for line in aligned(rows, (2, 3))), "", *_settings(campaigns)]


def _settings(campaigns: Sequence[Run]) -> list[str]:
    """A line for each setting that is not the same in all."""
    configs = [flatten(campaign.config().model_dump(mode="json")) for campaign in campaigns]
    paths = list(dict.fromkeys(path for config in configs for path in config))
    rows = [["setting", *(chr(ord("A") + place) for place in range(len(campaigns)))]]
    for path in paths:
        values = [setting(config.get(path)) for config in configs]
        if len(set(values)) > 1 and not path.startswith(LABELS):
            rows.append([path, *values])
    return aligned(rows, ()) if len(rows) > 1 else ["their settings are the same"]
