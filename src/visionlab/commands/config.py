"""`visionlab config`: the configuration that `visionlab train` would run with."""

from __future__ import annotations

import argparse

from visionlab.commands.overrides import add_overrides, with_quick_start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    from visionlab.config.load import load_train_config
    from visionlab.config.resolved import dump_config

    print(dump_config(load_train_config(with_quick_start(arguments.overrides))), end="")
