"""How a reproduction came out: metric by metric, the weights, the curve, and image by image."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from visionlab.comparison.mcnemar import Discordant, mcnemar
from visionlab.errors import UserError
from visionlab.reproduction.facts import Kind, Row
from visionlab.reproduction.original import Original
from visionlab.reproduction.tolerance import Counts, Range, tolerances
from visionlab.tracking import journal, predictions
from visionlab.tracking.predictions import Predictions
from visionlab.tracking.run import Run

# what training itself computes, apart from what depends on the clock
TRAINING = ("train/", "val/", "lr")
VALIDATION_TABLE = "tables/validation_confusion_matrix.json"


class Verdict(StrEnum):
    """Equal is to the last bit."""

    EQUAL = "equal"
    WITHIN = "within tolerance"
    DIFFERENT = "different"


class Metric(NamedTuple):
    """A metric of both runs; None where it is undefined or missing. `tolerated`: None where nothing is."""

    split: str
    name: str
    original: float | None
    reproduction: float | None
    tolerated: Range | None
    verdict: Verdict


class Parting(NamedTuple):
    """The first value of the course of training that is not the same; "nan", or None where a run has none there."""

    step: int
    name: str
    original: float | str | None
    reproduction: float | str | None


class Images(NamedTuple):
    """What both runs said of the images of a split.

    Attributes:
        changed: for how many the answer is another one.
        furthest: the greatest difference of a probability.
        discordant: McNemar's test.
    """

    split: str
    images: int
    changed: int
    furthest: float
    discordant: Discordant


@dataclass(frozen=True)
class Outcome:
    """The comparison of a run and its reproduction.

    Attributes:
        rows: what was the same and what was not.
        excuses: why values that are not equal may be tolerated; empty where none may be.
        weights: of the chosen and of the last checkpoint, whether they are equal; None where one cannot be read.
        points: how many values of the course of training were compared.
        parting: None where all of these are equal.
    """

    original: Run
    reproduction: Run
    rows: Sequence[Row]
    excuses: Sequence[str]
    metrics: Sequence[Metric]
    weights: Mapping[str, bool | None]
    points: int
    parting: Parting | None
    images: Sequence[Images]

    @property
    def verdict(self) -> Verdict:
        """That of the worst metric."""
        found = {metric.verdict for metric in self.metrics}
        return next((one for one in (Verdict.DIFFERENT, Verdict.WITHIN) if one in found), Verdict.EQUAL)

    @property
    def is_good(self) -> bool:
        """Whether the run was reproduced."""
        return self.verdict is not Verdict.DIFFERENT


def excuses(original: Original, rows: Sequence[Row]) -> list[str]:
    """Why results need not be equal to the last bit: rounding differs, or may.

    No reason counts where settings, data or given weights differ: then it is another experiment, whose results are
    equal or are not.
    """
    if any(row.kind is Kind.CONTENT and row.differs for row in rows):
        return []
    reasons = [
        f"other {row.name}" if row.differs else f"{row.name} not recorded"
        for row in rows
        if row.kind is Kind.ROUNDING and not row.is_same
    ]
    trainer = original.config.trainer
    if trainer.accelerator != "cpu" and not trainer.deterministic:
        reasons.append("GPUs add up in any order (trainer.deterministic=false)")
    if original.resumed:
        reasons.append(f"resumed with other settings ({', '.join(original.resumed)})")
    return reasons


def judge(original: float | None, reproduction: float | None, tolerated: Range | None) -> Verdict:
    """The verdict on one metric."""
    if original == reproduction:
        return Verdict.EQUAL
    if tolerated is None or reproduction is None or not tolerated.holds(reproduction):
        return Verdict.DIFFERENT
    return Verdict.WITHIN


def compare_metrics(original: Run, reproduction: Run, positive_class: str | None, tolerant: bool) -> list[Metric]:
    """Every metric of each split that the original was measured on."""
    found = []
    for split, name in (("validation", predictions.VALIDATION), ("test", predictions.TEST)):
        ours, theirs = (run.report().get(split, {}) for run in (original, reproduction))
        if not ours:
            continue
        ranges: dict[str, Range] = {}
        confusion = _confusion(original, split) if tolerant else None
        if confusion is not None:
            counts, classes = confusion
            known = _predictions(original, name) or _predictions(original, predictions.TEST)
            ranges = tolerances(ours, counts, _positive(classes, positive_class), known)
        for metric in dict.fromkeys([*ours, *theirs]):
            pair, tolerated = (ours.get(metric), theirs.get(metric)), ranges.get(metric)
            found.append(Metric(split, metric, *pair, tolerated, judge(*pair, tolerated)))
    if not found:
        raise UserError(f"{original.id}: has neither validation nor test results to compare with")
    return found


def compare_courses(original: Run, reproduction: Run) -> tuple[int, Parting | None]:
    """How many values of training and validation there are, and the first one that is not the same."""
    ours, theirs = _course(original), _course(reproduction)
    keys = sorted({*ours, *theirs})
    parted = next((key for key in keys if ours.get(key) != theirs.get(key)), None)
    return len(keys), None if parted is None else Parting(*parted, ours.get(parted), theirs.get(parted))


def compare_images(original: Run, reproduction: Run) -> list[Images]:
    """Image by image, of each split of which both runs have kept what they said."""
    found = []
    for split, name in (("validation", predictions.VALIDATION), ("test", predictions.TEST)):
        ours, theirs = _predictions(original, name), _predictions(reproduction, name)
        if ours is None or theirs is None or not np.array_equal(ours.labels, theirs.labels):
            continue
        furthest = float(np.abs(ours.probabilities - theirs.probabilities).max())
        changed = int((ours.predicted != theirs.predicted).sum())
        found.append(Images(split, len(ours.labels), changed, furthest, mcnemar(ours, theirs)))
    return found


def _course(run: Run) -> dict[tuple[int, str], float | str]:
    """By step and name; NaN as a word, as it does not equal itself."""
    return {
        (record["step"], name): value if value == value else "nan"
        for record in journal.read(run.journal_file)[0]
        if record["kind"] == "metrics"
        for name, value in record["values"].items()
        if name.startswith(TRAINING)
    }


def _confusion(run: Run, split: str) -> tuple[Counts, list[str]] | None:
    """(K, K) of the tested weights or of the best validation, and the names of the classes."""
    if split == "test":
        report = run.report()
        return np.array(report["confusion"]), report["classes"]
    file = run.path / VALIDATION_TABLE
    if not file.exists():
        return None
    rows = json.loads(file.read_text(encoding="utf-8"))["data"]
    return np.array([row[1:] for row in rows]), [row[0] for row in rows]


def _positive(classes: Sequence[str], name: str | None) -> int | None:
    if len(classes) != 2:
        return None
    return 1 if name is None else list(classes).index(name)


def _predictions(run: Run, name: str) -> Predictions | None:
    return predictions.load(run, name) if (run.path / name).exists() else None
