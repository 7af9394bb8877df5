"""Whether two runs have come to the same weights."""

from __future__ import annotations

from visionlab.errors import UserError
from visionlab.tracking.run import Run
from visionlab.training import checkpoint_file, checkpoints
from visionlab.training.identity import fingerprint

NAMES = {"chosen": checkpoints.BEST, "last": checkpoints.LAST}


def compare_weights(original: Run, reproduction: Run) -> dict[str, bool | None]:
    """Of the chosen and of the last weights, whether they are equal to the last bit; None where one cannot be read."""
    found: dict[str, bool | None] = {}
    for word, name in NAMES.items():
        prints = [_fingerprint(run, name) for run in (original, reproduction)]
        found[word] = None if None in prints else prints[0] == prints[1]
    return found


def _fingerprint(run: Run, name: str) -> str | None:
    file = run.checkpoints / name
    if name == checkpoints.BEST and not file.exists():
        file = run.checkpoints / checkpoints.LAST  # without validation the last is the chosen one
    try:
        return fingerprint(checkpoint_file.read(file)["state_dict"])
    except (OSError, UserError):
        return None
