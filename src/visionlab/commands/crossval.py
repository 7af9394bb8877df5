"""`visionlab crossval folds=5 experiment=…`: stratified k-fold cross-validation on the training set."""

from __future__ import annotations

import argparse

from visionlab.commands.campaign import add_campaign_arguments, run_campaign
from visionlab.commands.overrides import with_quick_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_campaign_arguments(
        parser,
        "Train on all parts of the training set but one, and validate on that, for each part in turn. Every training\n"
        "image is judged once, by a network that was not trained on it: these make the out-of-fold confusion matrix.",
        "folds=5",
    )


def run(arguments: argparse.Namespace) -> None:
    run_campaign("crossval", arguments, with_quick_start(arguments.overrides))
