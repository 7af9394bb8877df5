"""Finding runs on disk: single ones, those of campaigns, and the campaigns themselves, whose folders are alike."""

from __future__ import annotations

from pathlib import Path

from yaml import YAMLError

from visionlab.errors import UserError
from visionlab.tracking import journal, shipment_state
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

MOST_NAMED = 8
REPRODUCES = "reproduces"  # the tag with the id of the run that a run is to come out like
# settings that decide which images are validated on
SPLIT = ("data.name", "data.fraction", "data.val_fraction", "data.folds", "data.fold", "data.split_seed")


def all_runs(folder: Path) -> list[Run]:
    """Every run below `folder`, oldest first; those whose journal has no readable first record are passed over."""
    starts = {run: start for run in _with_journal(folder) if (start := _start(run)) is not None}
    return sorted(starts, key=lambda run: (starts[run]["time"], run.id))


def damaged(folder: Path) -> list[Run]:
    """The runs whose journal has no readable first record: a disk has failed, or they are being made at this moment."""
    return sorted((run for run in _with_journal(folder) if _start(run) is None), key=lambda run: run.id)


def unshipped(folder: Path) -> list[Run]:
    """The tracked runs of which MLflow does not have all, oldest first."""
    return [run for run in all_runs(folder) if _is_tracked(run) and has_more(run)]


def campaign_of(start: Record) -> str | None:
    """The id of the campaign that a run belongs to, by its first record; None of a single run."""
    name: str | None = start.get("campaign")
    return name


def is_campaign(start: Record) -> bool:
    """Whether a first record is that of a campaign itself, which has trained nothing."""
    return "proposer" in start


def withholds_test(start: Record) -> bool:
    """Whether a run never sees the test set, by its first record: it is of a campaign, or reproduces one that is."""
    return "campaign" in start or "campaign" in start["tags"]


def reproduction_tags(run: Run) -> dict[str, str]:
    """What marks a run that reproduces `run`; see `withholds_test` for the campaign."""
    campaign = campaign_of(run.start())
    return {REPRODUCES: run.id} | ({"campaign": campaign} if campaign is not None else {})


def refuse_member(run: Run, why: str) -> None:
    """Refuse what is not for a run of a campaign.

    Raises:
        UserError: it is one.
    """
    campaign = campaign_of(run.start())
    if campaign is not None:
        raise UserError(f"{run.id}: is a run of the campaign {campaign}; it {why}")


def refuse_untested(run: Run, why: str) -> None:
    """Refuse what is not for a run that never sees the test set: one of a campaign, or that reproduces such a one.

    Raises:
        UserError: it is one.
    """
    refuse_member(run, why)
    tags = run.start()["tags"]
    if "campaign" in tags:
        raise UserError(f"{run.id}: reproduces {tags[REPRODUCES]}, a run of the campaign {tags['campaign']}; it {why}")


def find_run(folder: Path, name: str) -> Run:
    """The run that `name` means: an id, a unique prefix of one, ``last`` or ``best``.

    ``best`` is the run of highest validation accuracy among those on the same data set as the last one. Test results
    are never used to choose. Neither is ever a run of a campaign, which has a best of its own.

    Raises:
        UserError: no run is meant, or several are, or a campaign.
    """
    found = find(folder, name)
    if is_campaign(found.start()):
        raise UserError(f"{found.id}: is a campaign; `visionlab runs --campaign {found.id}` lists its runs")
    return found


def find(folder: Path, name: str) -> Run:
    """As `find_run`, and campaigns by their ids or prefixes of them."""
    runs = all_runs(folder)
    single = [run for run in runs if campaign_of(start := run.start()) is None and not is_campaign(start)]
    if name in ("last", "best"):
        if not single:
            raise UserError(f"{folder}: there is no run yet; `visionlab train` makes one")
        return single[-1] if name == "last" else _best(single)
    matching = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        shown = ", ".join(run.id for run in matching[:MOST_NAMED]) + (", …" if len(matching) > MOST_NAMED else "")
        raise UserError(f"run {name!r}: expected one run, found {shown}; type more of it")
    if not runs:
        raise UserError(f"{folder}: there is no run yet; `visionlab train` makes one")
    recent = ", ".join(run.id for run in (single or runs)[:-4:-1])
    raise UserError(f"run {name!r}: expected a run id, a prefix of one, last or best; the newest are {recent}")


def validation_accuracy(run: Run) -> float | None:
    """The best validation accuracy of a run, or None where it never validated."""
    value = run.report().get("validation", {}).get("accuracy")
    return None if value is None else float(value)


def has_more(run: Run) -> bool:
    """Whether MLflow does not have all of a run's journal."""
    return shipment_state.load(run).offset < _size(run.journal_file)


def _with_journal(folder: Path) -> list[Run]:
    return [Run(path.parent) for path in folder.glob(f"*/{journal.FILE_NAME}") if _size(path)]


def _start(run: Run) -> Record | None:
    """The first record, or None where there is none that makes sense."""
    try:
        start = run.start()
        return start if start["kind"] == "start" and {"time", "params", "tags"} <= start.keys() else None
    except (UserError, OSError, ValueError, TypeError, KeyError):
        return None


def _is_tracked(run: Run) -> bool:
    try:
        return run.config().tracking.name != "off"
    except (UserError, OSError, ValueError, YAMLError):
        return True  # who wants to send it will be told what is wrong with its configuration


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _same_data(start: Record, other: Record) -> bool:
    """Whether two runs were validated on the same images, and the first is none that was made for debugging."""
    same = start["tags"].get("data.fingerprint") == other["tags"].get("data.fingerprint")
    split = all(start["params"].get(key) == other["params"].get(key) for key in SPLIT)
    return same and split and not start["params"]["debug"]


def _best(runs: list[Run]) -> Run:
    last = runs[-1].start()
    scores = [
        (score, run)
        for run in runs
        if _same_data(run.start(), last) and (score := validation_accuracy(run)) is not None
    ]
    if not scores:
        data = last["params"]["data.name"]
        raise UserError(f"best: expected a run on the same {data} as the last one with validation results, found none")
    return max(scores, key=lambda pair: pair[0])[1]
