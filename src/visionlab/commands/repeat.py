"""`visionlab repeat seeds=5 experiment=…`: the same run with several seeds."""

from __future__ import annotations

import argparse

from visionlab.commands.campaign import add_campaign_arguments, run_campaign
from visionlab.commands.overrides import with_quick_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_campaign_arguments(
        parser,
        "Train with several seeds, to see how much of a result is chance: mean, standard deviation, 95 % interval.",
        "seeds=5",
    )


def run(arguments: argparse.Namespace) -> None:
    run_campaign("repeat", arguments, with_quick_start(arguments.overrides))
