"""Images per second in training on a CPU: this template, the usual one, and a bare PyTorch loop, on the same network.

    VISIONLAB_DATA=data python scripts/bench_pipeline.py
    python scripts/bench_pipeline.py --rounds 60 --block 5 --arms ours bare
    python scripts/bench_pipeline.py --arms ours --variants "data.batch_size=1000 trainer.channels_last=true"

ours      the engine as `visionlab train` runs it, under Lightning, with journal and MLflow shipping on
bare      a loop over the same loader, network, optimizer, precision and memory format; no Lightning, no tracking
template  torchvision's CIFAR10, PIL transforms, DataLoader with two workers, Lightning in 32 bits
template-bf16  the same with autocast
variants  ours with other settings, each in quotes: what an option brings on this machine

The arms take turns of a block of steps each, in an order that changes from round to round, while the others are
stopped; the ratios are taken within rounds. Before its first block each arm warms up for some steps that are not
counted: during those of ours the shipping process imports mlflow, once a run. The memory allocator is set as
`visionlab train` sets it for ours and bare, and left alone for the templates.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from bench_lib import median_ratio, positive, print_table, spread
from rivals import train_bare, train_template
from turns import Contestant, Turns, configure, prepare

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import ConfigError
from visionlab.tracking.provenance import cpu_name
from visionlab.training import hardware
from visionlab.training.classifier import Classifier
from visionlab.training.fitting import fit
from visionlab.training.interruption import Interruption
from visionlab.training.quiet import quieten
from visionlab.training.recording import Recording

WARM_UP = 30
WANTED = {"template": "at least 2.3", "bare": "at least 0.97"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive, default=20, help="turns of each arm (default 20)")
    parser.add_argument("--block", type=positive, default=5, help="steps of a turn (default 5)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["ours", "bare", "template"])
    parser.add_argument("--variants", nargs="+", default=[], metavar="SETTINGS", help="of ours, further arms")
    arguments = parser.parse_args()
    arms = [*arguments.arms, *arguments.variants]
    try:
        for arm in arms:
            _config(arguments.experiment, arm)
    except ConfigError as error:
        parser.error(str(error))

    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        rates = measure(arguments.experiment, arms, arguments.rounds, arguments.block)
    print()
    print_table(["images/s", "median", "range"], [(arm, *spread(rates[arm], 0)) for arm in arms])
    width = max(map(len, arms))
    for arm in arms[1:]:
        wanted = f", wanted: {WANTED[arm]}" if arm in WANTED else ""
        ratio = median_ratio(rates[arms[0]], rates[arm])
        print(f"{arms[0]} / {arm:<{width}}  {ratio}, {arguments.rounds} rounds{wanted}")


def measure(experiment: str, arms: list[str], rounds: int, block: int) -> dict[str, list[float]]:
    """Images per second of each arm, one a round."""
    steps = WARM_UP + rounds * block + 1  # a block ends as the next step begins
    batches = {arm: _config(experiment, arm).data.batch_size for arm in arms}
    precision = _config(experiment, arms[0]).trainer.precision
    print(f"{cpu_name()}; torch {version('torch')}, {precision}, batches of {batches[arms[0]]}", flush=True)
    rates: dict[str, list[float]] = {arm: [] for arm in arms}
    contestants: dict[str, Contestant] = {}
    try:
        for arm in arms:
            contestants[arm] = Contestant(run_arm, arm, experiment, steps, skipped=WARM_UP, block=block)
        for number in range(rounds):
            for arm in np.roll(arms, number).tolist():
                rates[arm].append(block * batches[arm] / contestants[arm].turn())
            print(f"round {number + 1}: " + ", ".join(f"{arm} {rates[arm][-1]:.0f}" for arm in arms), flush=True)
    finally:
        for contestant in contestants.values():
            contestant.kill()
    return rates


def run_arm(arm: str, experiment: str, steps: int, turns: Turns) -> None:
    """Train, in turns."""
    quieten()
    if not arm.startswith("template"):
        hardware.keep_freed_memory()
    with contextlib.redirect_stdout(io.StringIO()):
        training = prepare(experiment, steps, *_settings(arm))
        turns.watch(training.module.network)
        ARMS.get(arm, ours)(*training)


def _settings(arm: str) -> list[str]:
    return [] if arm in ARMS else arm.split()


def _config(experiment: str, arm: str) -> TrainConfig:
    return configure(experiment, *_settings(arm))


def ours(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """The product, unchanged."""
    with Interruption() as interruption, Recording(config, datamodule, module, interruption) as recording:
        fit(config, module, datamodule, recording, interruption)


def bare(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """A loop without Lightning or tracking."""
    device = torch.device("cpu")
    if config.trainer.channels_last:
        module.network.to(memory_format=torch.channels_last)
    datamodule.place(device, 0, 1, bool(config.trainer.channels_last))
    train_bare(config, datamodule, module, device)


def template(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """The usual way."""
    train_template(config, datamodule, module, "32-true")


def template_bf16(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """The usual way with autocast."""
    train_template(config, datamodule, module, "bf16-mixed")


ARMS = {"ours": ours, "bare": bare, "template": template, "template-bf16": template_bf16}

if __name__ == "__main__":
    main()
