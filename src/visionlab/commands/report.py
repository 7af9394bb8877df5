"""`visionlab report RUN`: the page of a run, made from what is on the disk."""

from __future__ import annotations

import argparse

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.catalog import find, is_campaign


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, last, or best (by validation accuracy)")


def run(arguments: argparse.Namespace) -> None:
    found = find(project.runs(), arguments.run)
    found.mark_if_abandoned()
    if is_campaign(found.start()):
        raise UserError(
            f"{found.id}: is a campaign; its page is {found.path / 'report.html'}, made when it ends or stops"
        )
    from visionlab.figures.gallery import draw_from_disk
    from visionlab.reports.run import write_run_page

    # a run that goes on, or ended before its test, has the pictures of an earlier moment or none
    if found.status() != "FINISHED" or not found.figures.exists():
        draw_from_disk(found)
    print(write_run_page(found))
