"""`visionlab grid model.width=32,64 optimizer.lr=0.1,0.2 experiment=…`: every combination."""

from __future__ import annotations

import argparse

from visionlab.commands.campaign import add_campaign_arguments, run_campaign
from visionlab.commands.overrides import with_quick_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_campaign_arguments(
        parser,
        "Train every combination of the settings that are given several values: model.width=32,64 optimizer.lr=0.1,0.2",
        "model.width=32,64",
    )


def run(arguments: argparse.Namespace) -> None:
    run_campaign("grid", arguments, with_quick_start(arguments.overrides))
