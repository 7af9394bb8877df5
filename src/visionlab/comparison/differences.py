"""What was set differently in several runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from visionlab.comparison.sides import Side

ORIGIN = (
    "git.commit",
    "lock",
    "hardware",
    "python",
    "visionlab",
    "torch",
    "lightning",
    "torchmetrics",
    "data.fingerprint",
)
LONGEST_HASH = 12
ABSENT = "-"

Rows = list[list[str]]


def settings(compared: Sequence[Side]) -> Rows:
    """A row for each setting that is not the same in all runs: its path, then a value for each run.

    The number of parameters stands with the settings, as it follows from them.
    """
    sizes = [{"model.parameters": side.summary.start["params"].get("model.parameters")} for side in compared]
    return _rows([side.settings | size for side, size in zip(compared, sizes, strict=True)])


def origin(compared: Sequence[Side]) -> Rows:
    """Likewise for code, lock, hardware and versions."""
    values = []
    for side in compared:
        tags = {name: side.tags[name] for name in ORIGIN if name in side.tags}
        if "git.commit" in tags:
            tags |= {"uncommitted changes": side.uncommitted}
        values.append({name: text[:LONGEST_HASH] if _is_hash(name) else text for name, text in tags.items()})
    return _rows(values)


def _rows(sides: Sequence[Mapping[str, Any]]) -> Rows:
    names = list(dict.fromkeys(name for side in sides for name in side))
    table = [[name, *(_show(side[name]) if name in side else ABSENT for side in sides)] for name in names]
    return [row for row in table if len(set(row[1:])) > 1]


def _show(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _is_hash(name: str) -> bool:
    return name in ("git.commit", "lock", "data.fingerprint")
