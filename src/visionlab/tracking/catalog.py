"""Finding runs on disk."""

from __future__ import annotations

from pathlib import Path

from visionlab.errors import UserError
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run


def all_runs(folder: Path) -> list[Run]:
    """Every run below `folder`, oldest first."""
    runs = [Run(path.parent) for path in folder.glob("*/metrics.jsonl") if path.stat().st_size]
    return sorted(runs, key=lambda run: (run.start()["time"], run.id))


def find_run(folder: Path, name: str) -> Run:
    """The run that `name` means: an id, a unique prefix of one, ``last`` or ``best``.

    ``best`` is the run of highest validation accuracy among those on the same data set as the last one. Test results
    are never used to choose.

    Raises:
        UserError: no run is meant, or several are.
    """
    runs = all_runs(folder)
    if not runs:
        raise UserError(f"{folder}: there is no run yet; `visionlab train` makes one")
    if name == "last":
        return runs[-1]
    if name == "best":
        return _best(runs)
    matching = [run for run in runs if run.id == name] or [run for run in runs if run.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UserError(
            f"run {name!r}: expected one run, found {', '.join(run.id for run in matching)}; type more of it"
        )
    recent = ", ".join(run.id for run in runs[:-4:-1])
    raise UserError(f"run {name!r}: expected a run id, a prefix of one, last or best; the newest are {recent}")


def validation_accuracy(run: Run) -> float | None:
    """The best validation accuracy of a run, or None where it never validated."""
    value = run.report().get("validation", {}).get("accuracy")
    return None if value is None else float(value)


def _same_data(start: Record, other: Record) -> bool:
    """Whether two runs are on the same images, and the first is none that was made for debugging."""
    same = start["tags"].get("data.fingerprint") == other["tags"].get("data.fingerprint")
    return same and start["params"]["data.name"] == other["params"]["data.name"] and not start["params"]["debug"]


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
