"""The arguments of the commands that take a configuration."""

from __future__ import annotations

import argparse

from visionlab import project

QUICK_START = "experiment=cifar10_cnn"


def with_quick_start(overrides: list[str]) -> list[str]:
    """The overrides, and the quick start's experiment where they choose neither an experiment nor a data set."""
    chosen = any(override.lstrip("+").startswith(("experiment=", "data=", "data.name=")) for override in overrides)
    return overrides if chosen else [QUICK_START, *overrides]


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Take `group=name` and `path=value` arguments, and list the groups in the help."""
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="what differs from conf/train.yaml")
    groups = [
        f"  {folder.name:<11} {', '.join(sorted(file.stem for file in folder.glob('*.yaml')))}"
        for folder in sorted(project.conf().iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    ]
    parser.epilog = "\n".join(
        [
            "choices (as in: experiment=cifar10_cnn optimizer=muon):",
            *groups,
            "",
            "settings (as in: trainer.max_epochs=3 model.width=32): `visionlab config` prints them all",
        ]
    )
