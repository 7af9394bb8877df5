"""Where the numbers of a run come from: its data, its code, its machine."""

from __future__ import annotations

import time
from collections.abc import Iterator

from visionlab.reports.page import Block, Facts, Headline, Table, Text, folded_if_long
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

DATA = "data."  # how the names of tags begin that describe the data


def data(start: Record, records: list[Record]) -> Iterator[Block]:
    """How many images of which class there are in each split, and the fingerprint of all of them."""
    splits = {record["context"]: record for record in records if record["kind"] == "dataset"}
    if not splits:
        return
    yield Headline([(f"{split} images", f"{record['images']:,}") for split, record in splits.items()])
    described = {key.removeprefix(DATA): value for key, value in start["tags"].items() if key.startswith(DATA)}
    yield Facts([("name", start["params"]["data.name"]), *described.items()])
    classes = dict.fromkeys(name for record in splits.values() for name in record["classes"])
    rows = [[name, *(f"{record['classes'].get(name, 0):,}" for record in splits.values())] for name in classes]
    yield folded_if_long(Table(["class", *splits], rows), "images of each class")


def provenance(run: Run, start: Record, records: list[Record]) -> Iterator[Block]:
    """When, where and by what code the run was made, and how it was taken up again."""
    tags = {key: value for key, value in start["tags"].items() if not key.startswith(DATA)}
    yield Facts([("started", _when(start)), ("seed", str(start["params"]["seed"])), *tags.items()])
    resumes = [
        [_when(record), _changes(record), f"{record['step']:,}"] for record in records if record["kind"] == "resume"
    ]
    if resumes:
        yield Table(["resumed", "changed", "after step"], resumes, text_columns=2)
    kept = ", ".join(sorted(file.name for file in (run.path / "code").glob("*")))
    if kept:
        yield Text(f"In the run's folder, below code/: {kept}.")


def _changes(resume: Record) -> str:
    return ", ".join(f"{key.removeprefix('resumed.')}: {change}" for key, change in resume["tags"].items())


def _when(record: Record) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(record["time"] / 1000))
