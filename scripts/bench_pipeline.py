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
import itertools
import os
import tempfile
from importlib.metadata import version
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from bench_lib import median_ratio, positive, print_table, spread
from torch import Tensor, nn
from turns import Contestant, Turns, configure, prepare

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import ConfigError
from visionlab.tracking.provenance import cpu_name
from visionlab.training import hardware
from visionlab.training.classifier import Classifier
from visionlab.training.engine import fit
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
    """The least that has to be done."""
    network, loss = module.network.train(), module.loss
    if config.trainer.channels_last:
        network.to(memory_format=torch.channels_last)
    datamodule.place(torch.device("cpu"), 0, 1, bool(config.trainer.channels_last))
    optimizer = config.optimizer.load_implementation()(config.optimizer, module)
    factor = config.schedule.load_implementation()(config.schedule)
    batches = datamodule.train_dataloader()
    steps = config.trainer.max_epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
    for batch in itertools.chain.from_iterable(batches for _ in range(config.trainer.max_epochs)):
        with torch.autocast("cpu", torch.bfloat16, enabled=config.trainer.precision == "bf16-mixed"):
            value = loss(network(batch.images), batch.targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()


def template(
    config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier, precision: str = "32-true"
) -> None:
    """The way most templates train."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    pipeline = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=config.data.augment.translate, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(datamodule.mean.tolist(), datamodule.std.tolist()),
        ]
    )
    source = CIFAR10(str(project.data()), transform=pipeline)
    loader = DataLoader(source, config.data.batch_size, shuffle=True, num_workers=2, drop_last=True)
    trainer = pl.Trainer(
        accelerator="cpu",
        precision=precision,
        max_epochs=config.trainer.max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Template(module, config.trainer.max_epochs * len(loader)), loader)


class Template(pl.LightningModule):
    """The same network, loss and optimizer as ours, in a module as it is usually written."""

    def __init__(self, module: Classifier, steps: int) -> None:
        super().__init__()
        self.network: nn.Module = module.network
        self.loss, self.steps = module.loss, steps
        self.optimizer_config, self.schedule_config = module.optimizer_config, module.schedule_config

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self.network(images)
        loss: Tensor = self.loss(logits, labels)
        self.log("train/loss", loss)
        self.log("train/accuracy", (logits.argmax(dim=1) == labels).float().mean())
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer_config.load_implementation()(self.optimizer_config, self)
        factor = self.schedule_config.load_implementation()(self.schedule_config)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def template_bf16(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """The usual way with autocast."""
    template(config, datamodule, module, "bf16-mixed")


ARMS = {"ours": ours, "bare": bare, "template": template, "template-bf16": template_bf16}

if __name__ == "__main__":
    main()
