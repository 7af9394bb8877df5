"""The page of a campaign, `report.html` in its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from visionlab.campaigns.findings import THINGS, findings
from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.statistics import estimate
from visionlab.campaigns.words import capital, differing, metric, names, pair, run, said, value
from visionlab.config.resolved import dump_config
from visionlab.config.train import TrainConfig
from visionlab.figures.style import shorten
from visionlab.reports import page, words
from visionlab.reports.page import Block, Code, Facts, Folded, Headline, Picture, Section, Table, Text, folded_if_long
from visionlab.reports.settings import chosen
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

FILE_NAME, OUT_OF_FOLD = "report.html", "out_of_fold"  # of the page, and of the entry of report.json
LONGEST_REASON = 400
MOST_VALUES = 8  # of a setting that are listed

# title of the section -> pictures in it, as far as they are there
PICTURES = {
    "Progress": ("history", "curves"),
    "Spread": ("spread",),
    "Trade-off": ("front",),
    "Settings": ("importance", "slices", "parallel", "contour"),
    "Confusion": ("validation_confusion_matrix", "per_class"),
}
CAPTIONS = {
    "history": "In the order in which the runs were begun.",
    "curves": "After each validation; what a run reports is its best epoch.",
    "spread": "Each run at its best epoch.",
    "front": "No run is better than one on the front in one objective without being worse in another.",
    "importance": "Shares of the variation among the finished runs, chance included (fANOVA, Hutter et al. 2014).",
    "slices": "Each run, against one setting at a time; the others vary too.",
    "parallel": "Each line is a run, the darker the better, the best in red. What a run does not use it passes below.",
    "contour": "The two most important settings, the darker the better; where marked, the best is circled.",
    "per_class": "Rates out of fold, the hardest class first.",
    "validation_confusion_matrix": "Every training image once, judged by the run that had it in its validation fold.",
}


def write_campaign_page(
    folder: Path,
    results: Results,
    *,
    state: str,
    base: TrainConfig,
    command: str,
    origin: Record | None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the page of a campaign, done or under way; the file.

    Args:
        folder: of the campaign; the pictures below its `figures` are shown.
        state: running, finished, stopped or failed.
        base: what all runs have in common.
        command: as it was typed.
        origin: the first record of the campaign's journal.
        notes: sentences that stand below the findings.
    """
    sections = [
        Section("Result", [*_result(results, notes)]),
        Section("Best", [*_best(results)]),
        Section("Out of fold", [*_out_of_fold(Run(folder).report().get(OUT_OF_FOLD))]),
        *_pictures(folder / "figures"),
        Section("Runs", [*runs(results)]),
        Section("Failures", [*failures(results)]),
        Section("Setting", [*_setting(results, base, command)]),
        Section("Provenance", [*provenance(origin)]),
    ]
    return page.write(folder / FILE_NAME, page.render(results.name, _lead(results), sections, state))


def _out_of_fold(scores: Mapping[str, Any] | None) -> Iterator[Block]:
    if scores is None:
        return
    folds = "" if scores["runs"] == scores["of"] else f", {scores['runs']} of {scores['of']} folds"
    yield Text(
        f"Over {scores['images']:,} training images{folds}, each judged by a network that was not trained on it:"
    )
    rows = [[words.metric(name), words.value(name, number)] for name, number in scores["metrics"].items()]
    yield Table(["", "out of fold"], rows)


def _lead(results: Results) -> str:
    thing, name = THINGS[results.kind], results.objectives[0].metric
    count = f"{results.kind}, {results.tally()['finished']} of {results.total} {thing}s finished"
    if results.best is None:
        return f"{capital(count)}"
    if results.kind in ("tune", "grid"):
        return f"{capital(count)}; best {metric(name)} {value(name, results.best.values[0])}"
    return f"{capital(count)}; mean {metric(name)} {_mean(results)}"


def _mean(results: Results) -> str:
    name, found = results.objectives[0].metric, estimate([child.values[0] for child in results.measured()])
    assert found is not None
    return value(name, found.mean) if found.count == 1 else pair(name, found.mean, "±", found.std)


def _result(results: Results, notes: Sequence[str]) -> Iterator[Block]:
    numbers = []
    if results.best is not None and results.kind in ("tune", "grid"):
        for objective, number in zip(results.objectives, results.best.values, strict=True):
            numbers.append((f"{metric(objective.metric)} of the best", value(objective.metric, number)))
    elif results.best is not None:
        numbers.append((metric(results.objectives[0].metric), _mean(results)))
    states = results.tally()
    numbers.append((f"{THINGS[results.kind]}s finished", f"{states['finished']} of {results.total}"))
    numbers += [(state, str(states[state])) for state in ("pruned", "failed") if states[state]]
    seconds = sum(child.seconds for child in results.children if child.seconds is not None)
    if seconds:
        numbers.append(("all runs took", words.duration(seconds)))
    yield Headline(numbers)
    yield Text(" ".join(findings(results)))
    yield from map(Text, notes)


def _best(results: Results) -> Iterator[Block]:
    best, several = results.best, len(results.objectives) > 1
    if best is None or results.kind not in ("tune", "grid"):
        return
    by = f", by {metric(results.objectives[0].metric)}" if several else ""
    yield Text(f"{capital(run(best))}{by}{f', with run id {best.run}' if best.run else ''}:")
    yield Facts([(path, words.setting(given)) for path, given in best.settings.items()], code=True)
    yield Text("To train it on all training data and test it once:")
    yield Code(f"visionlab train campaign_best={results.name}")
    if several and len(results.front()) > 1:
        yield folded_if_long(_table(results, results.front()), "the Pareto front")


def _pictures(folder: Path) -> Iterator[Section]:
    known = {stem for stems in PICTURES.values() for stem in stems}
    others = sorted(file.stem for file in folder.glob("*.png") if not file.name.startswith("."))
    sections = PICTURES | {"Other pictures": tuple(stem for stem in others if stem not in known)}
    for title, stems in sections.items():
        files = [folder / f"{stem}.png" for stem in stems]
        yield Section(title, [Picture(file, _caption(file)) for file in files if file.exists()])


def _caption(picture: Path) -> str:
    numbers = picture.with_suffix(".csv")
    pointer = f"The numbers: figures/{numbers.name}" if numbers.exists() else ""
    return f"{CAPTIONS.get(picture.stem, '')} {pointer}".strip()


def runs(results: Results) -> Iterator[Block]:
    """The table of all runs."""
    if results.children:
        yield folded_if_long(_table(results, results.children), "all runs")


def _table(results: Results, children: Sequence[Child]) -> Table:
    called = names(differing(results.children))
    objectives = [objective.metric for objective in results.objectives]
    rows = []
    for child in children:
        values = list(map(value, objectives, child.values)) if child.values else [""] * len(objectives)
        took = "" if child.seconds is None else words.duration(child.seconds)
        again = ", again" if child.attempt else ""
        what = said(child.settings, called)
        rows.append([f"{child.number:03}", f"{child.state}{again}", what, child.run, *values, took])
    headings = ["run", "state", "what differs", "run id", *map(metric, objectives), "time"]
    return Table(headings, rows, text_columns=4)


def failures(results: Results) -> Iterator[Block]:
    """The table of those that failed, with their reasons, if there are any."""
    called = names(differing(results.children))
    rows = [
        [f"{child.number:03}", said(child.settings, called), shorten(child.reason, LONGEST_REASON), child.run]
        for child in results.children
        if child.state == "failed"
    ]
    if rows:
        yield folded_if_long(Table(["run", "what differs", "reason", "run id"], rows, text_columns=4), "failed runs")


def _setting(results: Results, base: TrainConfig, command: str) -> Iterator[Block]:
    yield Code(command)
    yield Facts([(metric(objective.metric), objective.direction) for objective in results.objectives])
    varied = differing(results.children)
    if varied:
        yield Text("What the runs differ in:")
        yield Facts([(path, _tried(results, path)) for path in varied], code=True)
    yield Text("What all of them have in common, as far as it differs from the defaults:")
    common = {path: given for path, given in chosen(base).items() if path not in varied}
    yield Facts([(path, words.setting(given)) for path, given in common.items()], code=True)
    yield Folded("the whole configuration", [Code(dump_config(base))])


def _tried(results: Results, path: str) -> str:
    """The range or the values of a setting."""
    if path in results.bounds:
        low, high = map(words.setting, results.bounds[path])
        return f"{low} to {high}{', by orders of magnitude' if path in results.log else ''}"
    given = dict.fromkeys(words.setting(child.settings[path]) for child in results.children if path in child.settings)
    more = f", … ({len(given)} values)" if len(given) > MOST_VALUES else ""
    return ", ".join([*given][:MOST_VALUES]) + more


def provenance(origin: Record | None) -> Iterator[Block]:
    """When, where and by what code the campaign was begun."""
    if origin is not None:
        started = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(origin["time"] / 1000))
        yield Facts([("started", started), *((key, str(given)) for key, given in origin["tags"].items())])
