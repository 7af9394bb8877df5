"""`visionlab sync RUN`: send to MLflow what a run could not send while it ran."""

from __future__ import annotations

import argparse

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.catalog import find_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best (by validation accuracy)")


def run(arguments: argparse.Namespace) -> None:
    found = find_run(project.runs(), arguments.run)
    config = found.config().tracking
    if config.name == "off":
        raise UserError(f"{found.id}: was trained with tracking=off; there is nothing to send it to")
    from visionlab.tracking.shipper import ship_everything

    try:
        ship_everything(found)
    except Exception as error:
        where = config.uri or "the local store"
        raise UserError(
            f"{found.id}: {where} does not take it ({type(error).__name__}: {error}); try again later"
        ) from error
    print(f"{found.id}: MLflow has all of it")
