"""`visionlab sync [RUN]`: send to MLflow what runs could not send while they ran."""

from __future__ import annotations

import argparse
import contextlib

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.catalog import all_runs, find, unshipped
from visionlab.tracking.delivery import explain
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import LOG_NAME


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Send to MLflow what runs could not send while they ran: because the server was down, or they were killed.\n"
        "A run whose process is gone is marked as KILLED first. Sending twice changes nothing."
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run id, a unique prefix, last, or best (by validation accuracy); by default all runs",
    )
    chosen.add_argument("--all", action="store_true", help="all runs that have something left, as without RUN")


def run(arguments: argparse.Namespace) -> None:
    for known in all_runs(project.runs()):
        with contextlib.suppress(OSError, ValueError):  # of a damaged journal more is said below
            known.mark_if_abandoned()
    runs = [_tracked(arguments.run)] if arguments.run else unshipped(project.runs())
    if not runs:
        print("MLflow has all of every run")
    mistakes: list[str] = []
    unwilling: dict[str, tuple[str, list[str]]] = {}  # by server: why, and which runs it did not take
    for left in runs:
        where = _where(left)
        if where in unwilling:
            unwilling[where][1].append(left.id)
            continue
        try:
            print(_send(left), flush=True)
        except UserError as error:
            first, *others = str(error).splitlines()
            mistakes.append(f"{left.id}: {first}" + (f" (and {len(others)} more)" if others else ""))
        except Exception as error:  # noqa: BLE001 - whatever a server or a network may come up with is said in a line
            unwilling[where] = (explain(error), [left.id])
    for where, (reason, names) in unwilling.items():
        mistakes.append(f"{where} does not take {', '.join(names)} ({reason}); try again later")
    if mistakes:
        raise UserError("\n".join(mistakes))


def _where(run: Run) -> str:
    """What a run is sent to, in words; the run itself where its configuration does not say so."""
    try:
        return run.config().tracking.uri or f"the store in {project.home() / 'mlruns'}"
    except Exception:  # noqa: BLE001 - a file that is no configuration can be anything
        return run.id


def _tracked(name: str) -> Run:
    found = find(project.runs(), name)
    if found.config().tracking.name == "off":
        raise UserError(f"{found.id}: was trained with tracking=off; there is nothing to send it to")
    return found


def _send(run: Run) -> str:
    """Send the rest of a run; what to say about it."""
    from visionlab.tracking.shipper import ship_everything

    state = ship_everything(run)
    what = "all of it so far" if run.status() == "RUNNING" else "all of it"
    log = run.path / LOG_NAME
    refused = f" except what it refused (entries: {state.refused}; see {log})" if state.refused else ""
    return f"{run.id}: MLflow has {what}{refused}"
