"""Images per second in training: this template, the usual one, and a bare PyTorch loop, on the same network.

    VISIONLAB_DATA=data python scripts/bench_pipeline.py
    python scripts/bench_pipeline.py --pairs 9 --steps 40 --arms ours bare

ours      the engine as `visionlab train` runs it, under Lightning, with journal and MLflow shipping on
bare      a loop over the same loader, network, optimizer, precision and memory format; no Lightning, no tracking
template  torchvision's CIFAR10, PIL transforms, DataLoader with two workers, Lightning in 32 bits
template-bf16  the same with autocast

Each round measures every arm once, each in a process of its own, in an order that changes from round to round, over
the same number of steps after a warm-up that is not counted: during that of ours the shipping process imports mlflow,
once a run, and then it is at work while the clock runs. The ratios are taken within rounds. The memory allocator is set
as `visionlab train` sets it for ours and bare, and left alone for the templates.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from bench_lib import median_ratio, positive, print_table, spread
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking import journal
from visionlab.tracking.provenance import cpu_name
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.classifier import Classifier
from visionlab.training.engine import fit
from visionlab.training.interruption import Interruption
from visionlab.training.quiet import quieten
from visionlab.training.recording import Recording

WARM_UP = 30
IMAGES = 50_000
WANTED = {"template": "at least 2.3", "bare": "at least 0.97"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=positive, default=7, help="rounds (default 7)")
    parser.add_argument("--steps", type=positive, default=15, help="counted steps of each measurement (default 15)")
    parser.add_argument("--experiment", default="cifar10_cnn", help="of conf/experiment/ (default cifar10_cnn)")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["ours", "bare", "template"])
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as home:
        os.environ["VISIONLAB_DATA"] = str(project.data())
        os.environ["VISIONLAB_HOME"] = home
        rates = measure(arguments.experiment, arguments.arms, arguments.pairs, arguments.steps)
    print()
    print_table(["images/s", "median", "range"], [(arm, *spread(rates[arm], 0)) for arm in arguments.arms])
    for arm in arguments.arms[1:]:
        wanted = f", wanted: {WANTED[arm]}" if arm in WANTED else ""
        print(f"ours / {arm:<14} {median_ratio(rates[arguments.arms[0]], rates[arm])}{wanted}")


def measure(experiment: str, arms: list[str], rounds: int, steps: int) -> dict[str, list[float]]:
    """Images per second of each arm, one a round."""
    config = prepare(experiment, steps)
    print(
        f"{cpu_name()}; torch {version('torch')}, {config.trainer.precision}, batches of {config.data.batch_size}",
        flush=True,
    )
    rates: dict[str, list[float]] = {arm: [] for arm in arms}
    # children of a process that has imported everything and done nothing
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for number in range(rounds):
            for arm in np.roll(arms, number).tolist():
                rates[arm].append(pool.submit(run_arm, arm, experiment, steps).result())
            print(f"round {number + 1}: " + ", ".join(f"{arm} {rates[arm][-1]:.0f}" for arm in arms), flush=True)
    return rates


def run_arm(arm: str, experiment: str, steps: int) -> float:
    """Images per second of one measurement."""
    quieten()
    config = prepare(experiment, steps)
    if arm in ("ours", "bare"):
        hardware.keep_freed_memory()
    with contextlib.redirect_stdout(io.StringIO()):
        return ARMS[arm](config, build_data(config), steps)


def prepare(experiment: str, steps: int) -> TrainConfig:
    """The experiment, one epoch of just the steps that are wanted, without validation."""
    config = load_train_config([f"experiment={experiment}", "trainer.max_epochs=1", "data.val_fraction=0"])
    share = (WARM_UP + steps) * config.data.batch_size / IMAGES
    trainer = hardware.resolve(config.trainer).model_copy(update={"log_every": WARM_UP})
    data = config.data.model_copy(update={"fraction": share})
    return config.model_copy(update={"trainer": trainer, "data": data})


def ours(config: TrainConfig, datamodule: ImageDataModule[Any], steps: int) -> float:
    """By the journal's own times: what is timed is the product, unchanged."""
    module = new_module(config, datamodule)
    with Interruption() as interruption, Recording(config, datamodule, module, interruption) as recording:
        fit(config, module, datamodule, recording, interruption)
    assert recording.run is not None
    times = {
        record["step"]: record["time"]
        for record in journal.read(recording.run.journal_file)[0]
        if record["kind"] == "metrics" and "train/loss" in record["values"]
    }
    return steps * config.data.batch_size / (times[WARM_UP + steps] - times[WARM_UP]) * 1000


def bare(config: TrainConfig, datamodule: ImageDataModule[Any], steps: int) -> float:
    """The least that has to be done."""
    module = new_module(config, datamodule)
    network, loss = module.network.train(), module.loss
    if config.trainer.channels_last:
        network.to(memory_format=torch.channels_last)
    datamodule.place(torch.device("cpu"), 0, 1, bool(config.trainer.channels_last))
    optimizer = config.optimizer.load_implementation()(config.optimizer, module)
    factor = config.schedule.load_implementation()(config.schedule)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, WARM_UP + steps))
    started = 0.0
    for step, batch in enumerate(datamodule.train_dataloader()):
        if step == WARM_UP:
            started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.trainer.precision == "bf16-mixed"):
            value = loss(network(batch.images), batch.targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    return steps * config.data.batch_size / (time.perf_counter() - started)


def template(config: TrainConfig, datamodule: ImageDataModule[Any], steps: int, precision: str = "32-true") -> float:
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
    clock = Clock(WARM_UP)
    trainer = pl.Trainer(
        accelerator="cpu",
        precision=precision,
        max_epochs=1,
        limit_train_batches=WARM_UP + steps,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Template(new_module(config, datamodule), WARM_UP + steps), loader)
    return steps * config.data.batch_size / clock.seconds


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


class Clock(Callback):
    """Times all steps but the first ones."""

    def __init__(self, skipped: int) -> None:
        self.skipped = skipped
        self.seconds = self._started = 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 == self.skipped:
            self._started = time.perf_counter()
        self.seconds = time.perf_counter() - self._started


def new_module(config: TrainConfig, datamodule: ImageDataModule[Any]) -> Classifier:
    """The same initial weights for every arm."""
    pl.seed_everything(config.seed, verbose=False)
    module = build_module(config, datamodule)
    initialize_from_data(module, datamodule)
    return module


def template_bf16(config: TrainConfig, datamodule: ImageDataModule[Any], steps: int) -> float:
    """The usual way with autocast."""
    return template(config, datamodule, steps, "bf16-mixed")


ARMS = {"ours": ours, "bare": bare, "template": template, "template-bf16": template_bf16}

if __name__ == "__main__":
    main()
