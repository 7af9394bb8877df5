"""The page of a lab, `report.html` in its folder: question, what the numbers show, pictures, table, setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from visionlab.campaigns.results import Results
from visionlab.config.resolved import dump_config
from visionlab.config.train import TrainConfig
from visionlab.labs.conclusion import rows
from visionlab.labs.effects import Verdict
from visionlab.labs.lab import Lab
from visionlab.labs.measures import MEASURES
from visionlab.reports import page, words
from visionlab.reports.campaign import FILE_NAME, failures, provenance, runs
from visionlab.reports.page import Block, Code, Facts, Folded, Headline, Picture, Section, Table, Text
from visionlab.reports.settings import chosen
from visionlab.tracking.journal import Record

SIZES = {
    "full": "the real sizes",
    "fast": "small, so that it is done in minutes",
    "tiny": "too small to show anything",
}


def write_lab_page(
    folder: Path,
    lab: Lab,
    found: Sequence[Verdict],
    results: Results,
    *,
    state: str,
    base: TrainConfig,
    command: str,
    origin: Record | None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page of a lab, done or under way; the file.

    Args:
        folder: of the campaign; the pictures below its `figures` are shown.
        found: what became of each effect.
        state: running, finished, stopped or failed.
        base: what all runs have in common.
        command: as it was typed.
        origin: the first record of the campaign's journal.
        notes: sentences that stand below what the numbers show.
    """
    sections = [
        Section("Question", [Text(lab.config.question), Text(f"Look at: {lab.config.look_at}")]),
        Section("What the numbers show", [*_shown(lab, found, notes)]),
        Section("Pictures", [*_pictures(lab, folder / "figures")]),
        Section("Numbers", [_table(lab)]),
        Section("Runs", [*runs(results)]),
        Section("Failures", [*failures(results)]),
        Section("Setting", [*_setting(lab, base, command)]),
        Section("Provenance", [*provenance(origin)]),
    ]
    return page.write(folder / FILE_NAME, page.render(lab.config.title, lab.config.question, sections, state))


def _shown(lab: Lab, found: Sequence[Verdict], notes: Sequence[str]) -> Iterator[Block]:
    told = [verdict for verdict in found if verdict.seen is not None]
    seen = sum(bool(verdict.seen) for verdict in told)
    yield Headline([("effects seen", f"{seen} of {len(found)}"), ("runs finished", f"{len(lab.runs)} of {lab.total}")])
    yield from (Text(verdict.text) for verdict in found)
    if lab.config.explains:
        yield Text(lab.config.explains)
    yield from map(Text, notes)


def _pictures(lab: Lab, folder: Path) -> Iterator[Block]:
    for figure in lab.config.figures:
        file = folder / f"{figure.name}.png"
        if file.exists():
            numbers = file.with_suffix(".csv")
            pointer = f" The numbers: figures/{numbers.name}" if numbers.exists() else ""
            yield Picture(file, f"{figure.caption}{pointer}".strip())


def _table(lab: Lab) -> Block:
    found = rows(lab)
    axes = list(dict.fromkeys(axis for labels, _, _ in found for axis in labels))
    headings = [*axes, "runs", *(MEASURES[name].words for name in lab.config.measures)]
    content = [[*(labels.get(axis, "") for axis in axes), str(count), *cells] for labels, count, cells in found]
    return Table(headings, content, text_columns=len(axes))


def _setting(lab: Lab, base: TrainConfig, command: str) -> Iterator[Block]:
    size = lab.config.size
    yield Code(command)
    yield Text(f"The size is {size}: {SIZES[size]}.")
    yield Text("What all runs have in common, as far as it differs from the defaults:")
    yield Facts([(path, words.setting(given)) for path, given in chosen(base).items()], code=True)
    yield Folded("the whole configuration", [Code(dump_config(base))])
