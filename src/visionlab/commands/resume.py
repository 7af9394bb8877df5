"""`visionlab resume RUN`: go on with a run that was stopped, or train a finished one for longer."""

from __future__ import annotations

import argparse

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking.catalog import find_run, refuse_member
from visionlab.tracking.run import Run
from visionlab.training import launch

CHANGEABLE = ("trainer", "tracking")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Go on with a run from its newest checkpoint, as if it had never stopped: same weights, same curve, same run\n"
        "in MLflow. A finished run goes on with trainer.max_epochs=…; what is changed is recorded."
    )
    parser.add_argument("run", metavar="RUN", help="a run id, a unique prefix, or last")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="what of trainer.* or tracking.* to change")


def run(arguments: argparse.Namespace) -> None:
    found = find_run(project.runs(), arguments.run)
    refuse_member(found, "goes on, or begins anew, with its campaign: type that command again")
    go_on(found, arguments.overrides)


def go_on(found: Run, overrides: list[str]) -> None:
    """Go on with a run, with some of its settings changed.

    Raises:
        UserError: there is nothing to go on with, or a setting cannot change.
    """
    from visionlab.config.resolved import change_config

    if launch.current().rank == 0:  # the others may come later, when the run goes on already
        found.mark_if_abandoned()
    before = found.config()
    there = before.model_copy(update={"trainer": launch.as_started_here(before.trainer)})
    config = change_config(there, overrides, CHANGEABLE)
    if (config.trainer.ema_decay is None) != (before.trainer.ema_decay is None):
        raise UserError(
            "trainer.ema_decay: averaging cannot begin or end in a run that goes on, only its decay can change; "
            "train a new run"
        )
    longer = config.trainer.max_epochs > before.trainer.max_epochs
    if found.status() == "FINISHED" and not longer and config.trainer.early_stopping == before.trainer.early_stopping:
        raise UserError(
            f"{found.id}: is finished, after at most {before.trainer.max_epochs} epochs; "
            f"`visionlab resume {found.id} trainer.max_epochs={2 * before.trainer.max_epochs}` trains it for longer"
        )
    from visionlab.training.engine import resume

    resume(found, config)
