"""`visionlab tune study=…`: search for good settings, by validation."""

from __future__ import annotations

import argparse

from visionlab.commands.campaign import add_campaign_arguments, run_campaign


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_campaign_arguments(
        parser,
        "Search for the settings that are best by validation: a study of conf/study/ says what varies.",
        "study=cifar10_cnn study.trials=50 study.minutes=60",
    )


def run(arguments: argparse.Namespace) -> None:
    run_campaign("tune", arguments, arguments.overrides)
