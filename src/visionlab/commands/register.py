"""`visionlab register RUN NAME`: a run's network as a version of a registered model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.catalog import find_run
from visionlab.tracking.package import DEFAULT_ALIAS, Package
from visionlab.tracking.registration import check_alias, check_name, register, serve_command
from visionlab.tracking.run import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make a run's network, with its preprocessing, a version of a registered model in MLflow, and say what serves\n"
        "it. A network that has the name already is not registered twice: it gets the alias and the description."
    )
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best (by validation accuracy)")
    parser.add_argument("name", metavar="NAME", help="of the registered model, made if there is none")
    parser.add_argument(
        "--alias",
        default=DEFAULT_ALIAS,
        help=f"what to call this version, and no other of the model any more (default {DEFAULT_ALIAS})",
    )
    parser.add_argument("--description", metavar="TEXT", help="of this version")


def run(arguments: argparse.Namespace) -> None:
    name, alias = arguments.name, arguments.alias
    check_name(name)
    check_alias(alias)
    found = find_run(project.runs(), arguments.run)
    _check(found)
    package = Package.of(found)
    if not package.is_there:
        from visionlab.prediction.packaging import write_package

        write_package(found)
    done = register(found, package, name, alias, arguments.description)
    if done.is_new:
        print(f"{found.id}: is version {done.version} of {name} now, alias {alias}")
    elif done.moved:
        print(f"{found.id}: was version {done.version} of {name} already; alias {alias} is this version now")
    else:
        print(f"{found.id}: was version {done.version} of {name} already, alias {alias}")
    print(f"serve it: {serve_command(found, name, alias, Path(sys.executable).parent)}")


def _check(run: Run) -> None:
    """Refuse a run that has nothing to register, or nowhere.

    Raises:
        UserError: it is such a run.
    """
    run.mark_if_abandoned()
    if run.config().tracking.name == "off":
        raise UserError(f"{run.id}: was trained with tracking=off; there is no MLflow to register it in")
    if run.status() == "RUNNING":
        raise UserError(f"{run.id}: is under way, its network will change; wait until it has ended")
    run.checkpoint()
