"""`visionlab rm RUN…`: remove runs from disk and from MLflow."""

from __future__ import annotations

import argparse
import contextlib
import sys

from filelock import Timeout

from visionlab import project
from visionlab.comparison.table import aligned
from visionlab.errors import UserError
from visionlab.tracking import journal, shipment_state
from visionlab.tracking.catalog import find_run, is_campaign
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState

MEGABYTE = 1_000_000
PARTS = ("config.yaml", journal.FILE_NAME)  # a folder with one of them is a run, whole or not


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Remove runs from disk and from MLflow, after asking; a campaign with all of its runs."
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run id, a unique prefix, or last")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--disk-only", action="store_true", help="leave MLflow as it is")


def run(arguments: argparse.Namespace) -> None:
    from visionlab.tracking.removal import empty_trash, is_in_store, move_to_trash, remove_from_store

    found = list({one.id: one for name in arguments.runs for one in _with_members(_find(name))}.values())
    with contextlib.ExitStack() as stack:
        for one in found:
            _take(one, stack)
        states = {one.id: shipment_state.load(one) for one in found}
        stored = {name for name, state in states.items() if is_in_store(state) and not arguments.disk_only}
        for line in aligned([_describe(one, states[one.id], one.id in stored) for one in found], (1,)):
            print(line, flush=True)
        if not (arguments.yes or _agreed(len(found))):
            print("nothing was removed")
            return
        for one in found:
            if one.id in stored:
                remove_from_store(states[one.id])
            if _is_campaign(one):
                from visionlab.campaigns.database import forget

                forget(one.id, project.runs())
            move_to_trash(one)
            print(f"removed {one.id}")
    empty_trash(project.runs())
    if stored:
        print("MLflow keeps what was removed in its own trash, out of sight, until `mlflow gc`")


def _find(name: str) -> Run:
    """The run that `name` means, damaged ones included."""
    folder = project.runs()
    if name == "last":
        return find_run(folder, name)
    if name in ("", "best"):
        raise UserError(f"rm {name!r}: expected a run's id or the beginning of one, so that no other run is removed")
    known = sorted({file.parent.name for part in PARTS for file in folder.glob(f"*/{part}")})
    matching = [one for one in known if one == name] or [one for one in known if one.startswith(name)]
    if len(matching) == 1:
        return Run(folder / matching[0])
    if matching:
        raise UserError(f"run {name!r}: expected one run, found {', '.join(matching)}; type more of it")
    raise UserError(f"run {name!r}: expected a run id, a prefix of one, or last; `visionlab runs` lists them")


def _with_members(run: Run) -> list[Run]:
    """A run or, of a campaign, its runs and then the campaign itself."""
    if not _is_campaign(run):
        return [run]
    records = journal.read(run.journal_file)[0]
    members = [Run(run.path.with_name(record["run"])) for record in records if record["kind"] == "member"]
    return [*(one for one in members if one.path.exists()), run]


def _is_campaign(run: Run) -> bool:
    try:
        return is_campaign(run.start())
    except (UserError, OSError, ValueError):  # damaged: removed all the same, as what it is
        return False


def _take(run: Run, stack: contextlib.ExitStack) -> None:
    """Keep training and shipping processes off a run until the stack ends.

    Raises:
        UserError: there is such a process, or the folder may not be written to.
    """
    try:
        stack.callback(run.lock().release)
        shipping = shipment_state.lock(run)
        shipping.acquire(timeout=0)
        stack.callback(shipping.release)
    except Timeout:
        raise UserError(
            f"{run.id}: is being sent to MLflow by another process; try again when that has ended"
        ) from None
    except OSError as error:
        raise UserError(f"{run.path}: expected a folder that can be written to ({error.strerror})") from error


def _describe(run: Run, state: ShipmentState, stored: bool) -> list[str]:
    size = sum(file.lstat().st_size for file in run.path.rglob("*") if not file.is_dir())
    where = f"and MLflow run {state.mlflow_run} in {state.uri or project.home() / 'mlruns'}"
    return [str(run.path), f"{size / MEGABYTE:,.1f} MB", where if stored else "and nothing in MLflow"]


def _agreed(count: int) -> bool:
    """What the user answers.

    Raises:
        UserError: there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UserError("rm: there is no terminal to ask on; --yes removes without asking")
    what = "this run" if count == 1 else f"these {count} runs"
    try:
        return input(f"Remove {what} for good? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
