"""`visionlab train`: one training run. Without arguments, the quick start."""

from __future__ import annotations

import argparse
import atexit
import gc
from functools import partial
from typing import TYPE_CHECKING

from visionlab.commands.overrides import QUICK_START, add_overrides, with_quick_start
from visionlab.training import launch

if TYPE_CHECKING:
    from visionlab.config.train import TrainConfig
    from visionlab.tracking.run import Run

FALLBACK = "experiment=digits"
CAMPAIGN_BEST = "campaign_best="


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train, choose a checkpoint by validation, test it once, and track everything.\n"
        f"With no choice of experiment or data: {QUICK_START}, or {FALLBACK} where CIFAR-10 cannot be had.\n"
        f"{CAMPAIGN_BEST}NAME trains the best configuration of a campaign on all training images, and tests it once."
    )
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    from visionlab.training import requeue

    begun = requeue.begun_before()
    if begun is not None:
        _go_on(begun)
        return
    config, is_quick_start = _config(arguments.overrides)
    here = launch.current()
    if is_quick_start and here.rank == 0 and not here.is_external:
        # nobody waits for this process yet: the answer need not come behind seconds of imports
        config, is_quick_start = _quick_start(config, arguments.overrides), False
    # importing makes millions of objects that stay: collecting among them again and again takes a second
    gc.disable()
    from visionlab.training.engine import train

    gc.freeze()
    gc.enable()
    atexit.register(gc.unfreeze)  # at the end the libraries look for what they have not got back
    train(config, prepare=partial(_quick_start, overrides=arguments.overrides) if is_quick_start else None)


def _go_on(run: Run) -> None:
    """Go on with the run of a job that SLURM has put back into the queue; a finished one is left as it is."""
    from visionlab.commands.resume import go_on

    if run.status() == "FINISHED":
        print(f"{run.id}: is finished, and so is this step of the job", flush=True)
    else:
        go_on(run, [])


def _config(given: list[str]) -> tuple[TrainConfig, bool]:
    """The configuration, and whether it is the quick start's."""
    from visionlab.config.load import load_train_config

    best = [word.partition("=")[2] for word in given if word.startswith(CAMPAIGN_BEST)]
    if best:
        from visionlab.campaigns.best import best_config

        return best_config(best[-1], [word for word in given if not word.startswith(CAMPAIGN_BEST)]), False
    overrides = with_quick_start(given)
    return load_train_config(overrides), overrides is not given


def _quick_start(config: TrainConfig, overrides: list[str]) -> TrainConfig:
    """The quick start's configuration, or the fallback's where CIFAR-10 is not here and cannot be fetched."""
    from visionlab.config.data import Cifar10Config
    from visionlab.data.cifar10_files import ensure_cifar10
    from visionlab.errors import DataUnavailableError

    assert isinstance(config.data, Cifar10Config)
    try:
        ensure_cifar10(config.data)
    except DataUnavailableError as error:
        frame = "=" * 100
        print(frame, "CIFAR-10 IS NOT HERE, so this first run trains on the small built-in digits instead.", sep="\n")
        print(error, frame, sep="\n", flush=True)
        return _fallback(overrides)
    return config


def _fallback(overrides: list[str]) -> TrainConfig:
    """The fallback's configuration, with those of the overrides that fit it: some may have been for CIFAR-10."""
    from visionlab.config.load import load_train_config
    from visionlab.errors import ConfigError

    fitting: list[str] = []
    for override in overrides:
        try:
            load_train_config([FALLBACK, *fitting, override])
        except ConfigError:
            print(f"left out, as the digits have no such setting: {override}", flush=True)
        else:
            fitting.append(override)
    return load_train_config([FALLBACK, *fitting])
