"""Names and numbers of campaigns, as their texts, pictures and pages write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from visionlab.campaigns.results import Child
from visionlab.comparison.measures import is_percentage, show
from visionlab.figures.style import percent
from visionlab.reports import words

METRICS = {"model.parameters": "parameters", "training_seconds": "training time", "latency_ms": "latency"}
UNITS = {"training_seconds": "s", "latency_ms": "ms"}
SMALL = 1e-3  # below it four decimals say little


def metric(name: str) -> str:
    """An objective in words: `val/top5_accuracy` is "validation top5 accuracy"."""
    split, _, measure = name.rpartition("/")
    return f"validation {words.metric(measure)}" if split == "val" else METRICS.get(name, name)


def capital(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def value(name: str, number: float) -> str:
    """The value of an objective: shares in percent, times with their unit."""
    if not math.isfinite(number):
        return "undefined" if math.isnan(number) else "infinite"
    if is_percentage(name):
        return percent(number, 2)
    match name:
        case "model.parameters":
            return f"{number:,.0f}"
        case "training_seconds":
            return words.duration(number)
        case "latency_ms":
            return f"{number:.4g}\N{NO-BREAK SPACE}ms"
    return show(name, number) if abs(number) >= SMALL or number == 0 else f"{number:.2e}"


def pair(name: str, first: float, joint: str, second: float) -> str:
    """Two values of an objective, such as `91.20 ± 0.45 %`."""
    beginning = f"{100 * first:.2f}" if is_percentage(name) else value(name, first)
    return f"{beginning} {joint} {value(name, second)}"


def setting(given: Any) -> str:
    """The value of a setting, of numbers as many digits as tell it apart."""
    return f"{given:.4g}" if isinstance(given, float) else words.setting(given)


def is_number(given: Any) -> TypeGuard[int | float]:
    """Whether a setting's value can be placed by its size."""
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def rank(given: Any) -> tuple[bool, float, str]:
    """By which the values of a setting are sorted: numbers by size, then all else by name."""
    return (False, given, "") if is_number(given) else (True, 0, setting(given))


def names(paths: Iterable[str]) -> dict[str, str]:
    """Dotted paths by as many of their last parts as tell them apart: `lr` for `optimizer.lr`."""
    parts = {path: path.split(".") for path in paths}

    def is_clear(path: str, length: int) -> bool:
        end = parts[path][-length:]
        same = sum(other[-length:] == end for other in parts.values())
        return same == 1 and end != ["name"]  # which says nothing of what it names

    return {
        path: ".".join(part[-next((n for n in range(1, len(part)) if is_clear(path, n)), len(part)) :])
        for path, part in parts.items()
    }


def differing(children: Iterable[Child]) -> list[str]:
    """The paths of the settings that children have, in the order in which they first appear."""
    return list(dict.fromkeys(path for child in children for path in child.settings))


def run(child: Child) -> str:
    """How a child is called: `run 003`."""
    return f"run {child.number:03}"


def said(settings: Mapping[str, Any], called: Mapping[str, str]) -> str:
    """Settings as `lr=0.1, width=32`.

    Args:
        called: the names of those to tell, by path, in their order.
    """
    return ", ".join(f"{name}={setting(settings[path])}" for path, name in called.items() if path in settings)
