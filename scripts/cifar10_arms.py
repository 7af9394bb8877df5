"""What scripts/bench_cifar10.py measures in this process: the bare loop, the usual template, the whitening alone."""

from __future__ import annotations

import contextlib
import io
import time
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from bench_pipeline import Template

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.classifier import Classifier
from visionlab.training.lookahead import SlowWeights
from visionlab.training.quiet import quieten
from visionlab.training.warm_up import warm_up


class Result(NamedTuple):
    """Of one training.

    Attributes:
        accuracy: on the test set, a share.
        seconds: of training.
        wall: from the process's start to its end.
    """

    accuracy: float
    seconds: float
    wall: float = 0.0


def device_name(words: list[str]) -> str:
    """What trains, and in which precision."""
    trainer = _config(words).trainer
    return f"{hardware.describe(trainer)}, {trainer.precision}"


def whitening_seconds(words: list[str]) -> float:
    """How long the layer takes that is computed from the images; 0 where there is none."""
    _, datamodule, module, device = _parts(words)
    if not hasattr(module.network, "initialize"):
        return 0.0
    with Stopwatch(device) as watch:
        initialize_from_data(module, datamodule)
    return watch.seconds


def bare(words: list[str]) -> Result:
    """The least that has to be done."""
    config, datamodule, module, device = _parts(words)
    network, loss = module.network, module.loss
    if config.trainer.channels_last:
        network.to(memory_format=torch.channels_last)
    if config.trainer.compile:
        network.compile()
        warm_up(module.train(), datamodule, partial(_autocast, config, device), bool(config.trainer.channels_last))
    loader = datamodule.train_dataloader()
    steps, done = config.trainer.max_epochs * len(loader), 0
    with Stopwatch(device) as watch:
        initialize_from_data(module, datamodule)
        optimizer = config.optimizer.load_implementation()(config.optimizer.at(config.data.batch_size), module)
        factor = config.schedule.load_implementation()(config.schedule)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
        every = config.trainer.lookahead
        slow = SlowWeights(network, every, steps) if every is not None else None
        network.train()
        for epoch in range(config.trainer.max_epochs):
            loader.set_epoch(epoch)
            for batch in loader:
                with _autocast(config, device):
                    value = loss(network(batch.images), batch.targets)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
                done += 1
                if slow is not None:
                    slow.follow(done, done % len(loader) == 0)
    assert done == steps
    return Result(_accuracy(config, datamodule, module, device), watch.seconds)


def template(words: list[str]) -> Result:
    """The way most templates train a ResNet-18; of the words it takes those that are no experiment."""
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    own = [word for word in words if word.startswith(("seed=", "trainer.max_epochs=", "data.fraction="))]
    config, datamodule, module, device = _parts(["experiment=cifar10_resnet18", *own])
    pipeline = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(datamodule.mean.tolist(), datamodule.std.tolist()),
        ]
    )
    source: Any = CIFAR10(str(project.data()), transform=pipeline)
    if config.data.fraction < 1:
        source = Subset(source, range(int(config.data.fraction * len(source))))
    loader = DataLoader(source, config.data.batch_size, shuffle=True, num_workers=2, drop_last=True)
    steps = config.trainer.max_epochs * len(loader)
    trainer = pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=1,
        precision=config.trainer.precision,
        max_epochs=config.trainer.max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    began = time.perf_counter()
    trainer.fit(Template(module, steps), loader)
    return Result(_accuracy(config, datamodule, module, device), time.perf_counter() - began)


class Stopwatch:
    """Seconds between entering and leaving; on a GPU by its own events."""

    def __init__(self, device: torch.device) -> None:
        self._is_gpu = device.type == "cuda"
        self.seconds = 0.0

    def __enter__(self) -> Stopwatch:
        if self._is_gpu:
            self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            torch.cuda.synchronize()
            self._events[0].record()
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        if self._is_gpu:
            self._events[1].record()
            torch.cuda.synchronize()
            self.seconds = self._events[0].elapsed_time(self._events[1]) / 1000


def _config(words: list[str]) -> TrainConfig:
    config = load_train_config(words)
    return config.model_copy(update={"trainer": hardware.resolve(config.trainer)})


def _parts(words: list[str]) -> tuple[TrainConfig, ImageDataModule[Any], Classifier, torch.device]:
    """Everything on the device, nothing initialised from the images."""
    quieten()
    config = _config(words)
    if config.trainer.accelerator == "cpu":
        hardware.keep_freed_memory()
    device = hardware.device_of(config.trainer)
    pl.seed_everything(config.seed, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):
        datamodule = build_data(config)
    module = build_module(config, datamodule).to(device)
    datamodule.place(device, 0, 1, bool(config.trainer.channels_last))
    return config, datamodule, module, device


def _autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    dtype = kinds.get(config.trainer.precision)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def _accuracy(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier, device: torch.device) -> float:
    """On the test images, by the evaluation that the recipe asks for."""
    module.to(device).eval()
    right = 0
    with torch.inference_mode(), _autocast(config, device):
        for batch in datamodule.test_dataloader():
            right += int((module.predict(batch.images).argmax(dim=1) == batch.targets).sum())
    return right / datamodule.sizes["test"]
