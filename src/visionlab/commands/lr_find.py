"""`visionlab lr-find`: a learning-rate range test (Smith 2017)."""

from __future__ import annotations

import argparse

from visionlab.commands.overrides import add_overrides, with_quick_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train a few steps while the learning rate rises from tiny to huge, and suggest the rate at which the loss\n"
        "falls fastest. Writes a picture; keeps no run."
    )
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    from visionlab.config.load import load_train_config

    config = load_train_config(with_quick_start(arguments.overrides))
    from visionlab.training.lr_find import find_lr

    suggestion, picture = find_lr(config)
    print(f"optimizer.lr={suggestion:.3g}")
    print(f"the curve: {picture}")
