"""What is known of a metric by its name: how it is shown, and whether less of it is better."""

from __future__ import annotations

import math

PERCENTAGES = ("accuracy", "precision", "recall", "specificity", "rate", "f1", "auc", "error")
LESS_IS_BETTER = ("loss", "error", "false_positive_rate", "seconds", "duration", "grad_norm", "skipped_steps", "brier")


def is_percentage(name: str) -> bool:
    """Whether a metric such as `val/top5_accuracy` is a share of one."""
    return name.endswith(PERCENTAGES)


def less_is_better(name: str) -> bool:
    """Whether the best run is the one with the smallest value."""
    return name.endswith(LESS_IS_BETTER)


def show(name: str, value: float | None) -> str:
    """A value as it stands in a table; nothing where there is none."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.2%}" if is_percentage(name) else f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
