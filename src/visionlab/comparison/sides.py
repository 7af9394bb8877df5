"""The runs of a comparison, and which of them were tested on the same images."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from visionlab.comparison.summary import Summary
from visionlab.config.resolved import flatten
from visionlab.errors import UserError
from visionlab.tracking import predictions
from visionlab.tracking.predictions import Predictions
from visionlab.tracking.run import Run

MOST = 8  # colours that can be told apart
# settings of the data that leave the validation images as they are
NEUTRAL = (
    "data.batch_size",
    "data.eval_batch_size",
    "data.augment.",
    "data.imbalance",
    "data.sampler",
    "data.positive_class",
    "data.urls",
)


@dataclass(frozen=True)
class Side:
    """A run in a comparison.

    Attributes:
        letter: what the run is called in tables and pictures; the first is A.
        settings: its configuration by dotted path.
        predictions: of the test images; None where it was not tested.
    """

    letter: str
    summary: Summary
    settings: dict[str, Any]
    predictions: Predictions | None

    @property
    def run(self) -> Run:
        return self.summary.run

    @property
    def tags(self) -> dict[str, str]:
        """Where the run comes from."""
        tags: dict[str, str] = self.summary.start["tags"]
        return tags

    @property
    def uncommitted(self) -> str:
        """Which changes the code had against its commit, as the beginning of their hash."""
        file = self.run.path / "code" / "uncommitted.diff"
        return hashlib.sha256(file.read_bytes()).hexdigest()[:8] if file.exists() else "none"

    @property
    def classes(self) -> list[str]:
        names: list[str] = self.summary.report["classes"]
        return names

    @property
    def positive(self) -> int | None:
        """Of two classes the one whose rates are reported."""
        if len(self.classes) != 2:
            return None
        name = self.settings.get("data.positive_class")
        return 1 if name is None else self.classes.index(name)


def sides(runs: Sequence[Run]) -> list[Side]:
    """The runs of a comparison, in the order given.

    Raises:
        UserError: they are too few, too many, or not all different, or a file of theirs is damaged.
    """
    ids = [run.id for run in runs]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"compare: expected different runs, given {twice} twice")
    if not 2 <= len(runs) <= MOST:
        raise UserError(f"compare: expected 2 to {MOST} runs, given {len(runs)}; `visionlab runs` lists them")
    return [_side(letter, run) for letter, run in zip(string.ascii_uppercase, runs, strict=False)]


def why_not_the_same_test_images(first: Side, second: Side) -> str | None:
    """What shows that two tested runs were tested on different images; None where they were the same ones.

    The seeds of the splits are no matter: the test images do not depend on them.
    """
    assert first.predictions is not None
    assert second.predictions is not None
    for name in ("data.name", "data.test_fraction"):
        given = [side.settings.get(name) for side in (first, second)]
        if given[0] != given[1]:
            return f"{name} is {given[0]} in {first.letter}, {given[1]} in {second.letter}"
    prints = [side.tags.get("data.fingerprint") for side in (first, second)]
    if prints[0] is None or prints[0] != prints[1]:
        return "the content of the data has changed in between (another data.fingerprint)"
    if first.classes != second.classes:
        return "the classes differ"
    if not np.array_equal(first.predictions.labels, second.predictions.labels):
        count = [len(side.predictions.labels) for side in (first, second) if side.predictions is not None]
        return f"{count[0]:,} and {count[1]:,} images" if count[0] != count[1] else "the labels differ"
    return None


def same_validation_images(compared: Sequence[Side]) -> bool:
    """Whether all runs were validated on the same images, as far as their settings say."""
    chosen = [
        {key: value for key, value in side.settings.items() if key.startswith("data.") and not key.startswith(NEUTRAL)}
        | {"fingerprint": side.tags.get("data.fingerprint")}
        for side in compared
    ]
    return all(other == chosen[0] for other in chosen)


def _side(letter: str, run: Run) -> Side:
    summary = Summary.read(run)
    settings = flatten(run.config().model_dump(mode="json"))
    found = None
    if (run.path / predictions.TEST).exists() and "classes" in summary.report:
        try:
            found = predictions.load(run)
        except Exception as error:
            raise UserError(
                f"{run.path / predictions.TEST}: cannot be read ({type(error).__name__}); "
                f"delete it and compare without test results, or make it anew with `visionlab resume {run.id}`"
            ) from error
    return Side(letter, summary, settings, found)
