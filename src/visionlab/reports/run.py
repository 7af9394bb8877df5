"""The page of one run, `report.html` in its folder, made from what is on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from visionlab.figures.confusion import worst_confusion
from visionlab.figures.learning_curves import history
from visionlab.figures.ranking import positive_label
from visionlab.figures.style import percent, shorten
from visionlab.reports import origin, page, words
from visionlab.reports.page import Block, Code, Facts, Folded, Headline, Picture, Section, Table, Text, folded_if_long
from visionlab.reports.settings import chosen
from visionlab.tracking import journal
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

FILE_NAME = "report.html"
STATUS = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "stopped", "RUNNING": "running"}

# title of the section -> pictures in it, as far as they are there
PICTURES = {
    "Learning curves": ("learning_curves",),
    "Confusion": ("confusion_matrix", "validation_confusion_matrix"),
    "Classes": ("per_class",),
    "Ranking": ("roc", "precision_recall"),
    "Calibration": ("reliability",),
    "Hardest images": ("hardest",),
    "What the network sees": ("augmented",),
}
CAPTIONS = {
    "confusion_matrix": "Test images. Shades are by the square root, so that rare mistakes show.",
    "validation_confusion_matrix": "Validation images, at the best epoch.",
    "per_class": "Rates on the test images, the hardest class first.",
    "roc": "Over all thresholds, each class against the rest.",
    "precision_recall": "Over all thresholds, each class against the rest; the area is the average precision.",
    "reliability": "Test images by confidence in the predicted class. Where the bar is above the mark, the network is "
    "right more often than it believes; below, less often.",
    "hardest": "Below each test image its true class, what the network took it for, and how sure it was.",
    "augmented": "Training images after augmentation, with the labels to learn.",
}


def write_run_page(run: Run, concluded: bool = False) -> Path:
    """Write the page of a run, tested or not; the file.

    Args:
        concluded: the run has nothing left to do but to say so, after it has recorded this page.

    Raises:
        UserError: the folder is no run's.
    """
    start, records = run.start(), journal.read(run.journal_file)[0]
    report = run.report()
    sections = [
        Section("Result", [*_result(run, report, records)]),
        Section("Setting", [*_setting(run)]),
        *_pictures(run, report),
        Section("Data", [*origin.data(start, records)]),
        Section("Provenance", [*origin.provenance(run, start, records)]),
    ]
    badge = STATUS["FINISHED" if concluded else run.status()]
    html = page.render(run.id, _lead(start, report), sections, badge)
    return page.write(run.path / FILE_NAME, html)


def _lead(start: Record, report: dict[str, Any]) -> str:
    what = f"{start['params']['model.name']} on {start['params']['data.name']}"
    if "test" not in report:
        return f"{what}, not tested"
    return f"{what}: {percent(report['test']['accuracy'], 2)} of the test images are right"


def _result(run: Run, report: dict[str, Any], records: list[Record]) -> Iterator[Block]:
    found = {"test": report.get("test"), "validation": report.get("validation") or _best_validation(records)}
    results: dict[str, dict[str, Any]] = {split: values for split, values in found.items() if values}
    numbers = [(f"{split} accuracy", words.value("accuracy", values["accuracy"])) for split, values in results.items()]
    epochs = history(records).epochs
    if epochs is not None:
        numbers.append(("epochs", f"{epochs:.3g} of {run.config().trainer.max_epochs}"))
    if "training_seconds" in report:
        numbers.append(("training took", words.duration(report["training_seconds"])))
    if "model.parameters" in records[0]["params"]:
        numbers.append(("parameters", f"{records[0]['params']['model.parameters']:,}"))
    yield Headline(numbers)
    if records[-1]["kind"] == "status" and records[-1].get("tags"):
        yield Facts([*records[-1]["tags"].items()])
    if results:
        names = dict.fromkeys(name for values in results.values() for name in values)
        rows = [
            [words.metric(name), *(words.value(name, values.get(name)) for values in results.values())]
            for name in names
        ]
        yield Table(["", *results], rows)
        yield Text(_explanation(run, report, "validation" in results))


def _best_validation(records: list[Record]) -> dict[str, float]:
    """The results of the best epoch so far."""
    best = history(records).best
    found: dict[str, float] = {}
    for record in records:
        if best is not None and record["kind"] == "metrics" and record["step"] == best[0]:
            found |= record["values"]
    return {name.removeprefix("val/"): value for name, value in found.items() if name.startswith("val/")}


def _explanation(run: Run, report: dict[str, Any], validated: bool) -> str:
    classes = report.get("classes", [])
    positive = positive_label(classes, run.config().data.positive_class)
    of = "means over the classes"
    if positive is not None:
        of = f"those of the class “{classes[positive]}”; recall is also called sensitivity and true positive rate"
    chosen_by = " Validation results are of the best epoch, by which the weights are chosen." if validated else ""
    return f"Rates are {of}.{chosen_by}"


def _setting(run: Run) -> Iterator[Block]:
    yield Text("What differs from the defaults:")
    yield Facts([(path, words.setting(value)) for path, value in chosen(run.config()).items()], code=True)
    yield Folded("the whole configuration", [Code((run.path / "config.yaml").read_text(encoding="utf-8"))])


def _pictures(run: Run, report: dict[str, Any]) -> Iterator[Section]:
    known = {stem for stems in PICTURES.values() for stem in stems}
    others = sorted(file.stem for file in run.figures.glob("*.png") if not file.name.startswith("."))
    sections = PICTURES | {"Other pictures": tuple(stem for stem in others if stem not in known)}
    for title, stems in sections.items():
        files = [run.figures / f"{stem}.png" for stem in stems]
        blocks: list[Block] = [Picture(file, _caption(file)) for file in files if file.exists()]
        if title == "Classes" and "per_class" in report:
            blocks.append(_per_class(report))
        yield Section(title, blocks)


def _caption(picture: Path) -> str:
    beside = [picture.with_suffix(suffix) for suffix in (".csv", ".json")]
    numbers = next((f"The numbers: figures/{file.name}" for file in beside if file.exists()), "")
    return f"{CAPTIONS.get(picture.stem, '')} {numbers}".strip()


def _per_class(report: dict[str, Any]) -> Block:
    rates, classes = report["per_class"], report["classes"]
    counts = np.asarray(report["confusion"])
    rows = []
    for label, name in enumerate(classes):
        values = [words.value(rate, rates[rate][label]) for rate in rates]
        rows.append([name, _taken_for(counts, classes, label), f"{counts[label].sum():,}", *values])
    headings = ["class", "most often taken for", "test images", *(words.metric(rate) for rate in rates)]
    return folded_if_long(Table(headings, rows, text_columns=2), "class by class")


def _taken_for(counts: np.ndarray, classes: list[str], label: int) -> str:
    row = np.zeros_like(counts)
    row[label] = counts[label]
    worst = worst_confusion(row)
    return "" if worst is None else f"{shorten(classes[worst[1]], 30)} ({row[label, worst[1]]:,})"
