"""What scripts/bench_cifar10.py measures in this process: the bare loop, the usual template, the whitening alone."""

from __future__ import annotations

import contextlib
import io
import time
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from rivals import autocast, train_bare, train_template

from visionlab.config.load import load_train_config
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.classifier import Classifier
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
    if config.trainer.channels_last:
        module.network.to(memory_format=torch.channels_last)
    if config.trainer.compile:
        module.network.compile()
        warm_up(module.train(), datamodule, partial(autocast, config, device), bool(config.trainer.channels_last))
    with Stopwatch(device) as watch:
        initialize_from_data(module, datamodule)
        train_bare(config, datamodule, module, device)
    return Result(_accuracy(config, datamodule, module, device), watch.seconds)


def template(words: list[str]) -> Result:
    """The way most templates train a ResNet-18; of the words it takes those that are no experiment."""
    own = [word for word in words if word.startswith(("seed=", "trainer.max_epochs=", "data.fraction="))]
    config, datamodule, module, device = _parts(["experiment=cifar10_resnet18", "data.val_fraction=0", *own])
    seconds = train_template(config, datamodule, module, config.trainer.precision)
    return Result(_accuracy(config, datamodule, module, device), seconds)


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


def _accuracy(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier, device: torch.device) -> float:
    """On the test images, by the evaluation that the recipe asks for."""
    module.to(device).eval()
    right = 0
    with torch.inference_mode(), autocast(config, device):
        for batch in datamodule.test_dataloader():
            right += int((module.predict(batch.images).argmax(dim=1) == batch.targets).sum())
    return right / datamodule.sizes["test"]
