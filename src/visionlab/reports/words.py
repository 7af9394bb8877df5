"""Names and numbers as the pages write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visionlab.figures.style import percent

WORDS = {"f1": "F1", "roc_auc": "ROC AUC", "images_per_second": "images per second"}
NO_SHARES = ("loss",)  # all other metrics lie between 0 and 1


def metric(name: str) -> str:
    """The name of a metric in words."""
    return WORDS.get(name, name.replace("_", " "))


def value(name: str, number: float | None) -> str:
    """The value of a metric."""
    if number is None:
        return "undefined"
    return f"{number:.4f}" if name in NO_SHARES else percent(number, 2)


def duration(seconds: float) -> str:
    """Seconds, or minutes and hours where there are many."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def setting(given: Any) -> str:
    """The value of a setting, as one types it on the command line."""
    if given is None or isinstance(given, bool):
        return {None: "null", True: "true", False: "false"}[given]
    if isinstance(given, Mapping):
        return "{" + ", ".join(f"{key}: {setting(part)}" for key, part in given.items()) + "}"
    if isinstance(given, Sequence) and not isinstance(given, str):
        return "[" + ", ".join(setting(part) for part in given) + "]"
    return str(given)
