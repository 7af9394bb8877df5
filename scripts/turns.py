"""Trainings that take turns, so that what slows the machine for a while slows neighbours alike.

All are alive at once, each a process of its own. One trains for a block of steps, while the others are stopped
(SIGSTOP) with all their helpers: worker processes, the shipping process. Ratios of neighbouring blocks tell one per
cent where whole runs, one after the other, differ by ten.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import lightning.pytorch as pl
import psutil
from torch import nn

from visionlab.config.load import load_train_config
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import ConfigError
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module, initialize_from_data
from visionlab.training.classifier import Classifier

# what a killed process leaves is cleaned up by the tracker of semaphores, a process that would warn of it
os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")


class Training(NamedTuple):
    """What is trained."""

    config: TrainConfig
    datamodule: ImageDataModule[Any]
    module: Classifier


def configure(experiment: str, *overrides: str) -> TrainConfig:
    """An experiment without validation, on the CPU, resolved.

    Raises:
        ConfigError: a setting is wrong, or its steps are not its network's forward passes, which turns are counted by.
    """
    words = [f"experiment={experiment}", "data.val_fraction=0", "trainer.accelerator=cpu", *overrides]
    config = load_train_config(words)
    for path, wrong in (
        ("trainer.accumulate", config.trainer.accumulate > 1),
        ("trainer.compile", config.trainer.compile),
    ):
        if wrong:
            raise ConfigError([f"{path}: is not measured here, as each forward pass has to be one step; leave it out"])
    return config.model_copy(update={"trainer": hardware.resolve(config.trainer)})


def prepare(experiment: str, steps: int, *overrides: str) -> Training:
    """An experiment for about so many steps, no fewer, in whole epochs; always the same weights."""
    config = configure(experiment, *overrides)
    datamodule = build_data(config)
    epochs = math.ceil(steps / (datamodule.sizes["train"] // config.data.batch_size))
    # so many images that the last epoch ends soon after the last step; half a batch is for what splitting rounds off
    images = (math.ceil(steps / epochs) + 0.5) * config.data.batch_size
    share = min(1.0, images / datamodule.sizes["train"]) * config.data.fraction
    data = config.data.model_copy(update={"fraction": share})
    config = config.model_copy(
        update={"data": data, "trainer": config.trainer.model_copy(update={"max_epochs": epochs})}
    )
    datamodule = build_data(config)
    pl.seed_everything(config.seed, verbose=False)
    module = build_module(config, datamodule)
    initialize_from_data(module, datamodule)
    return Training(config, datamodule, module)


class Turns:
    """What a training calls before each step: it times blocks of steps, and waits between them.

    Args:
        skipped: steps before the first block, which are not timed.
        block: steps of a block.
    """

    def __init__(self, skipped: int, block: int, connection: Connection) -> None:
        self.skipped, self.block, self.connection = skipped, block, connection
        self.step, self.began = 0, time.perf_counter()
        self.is_alone = False

    def watch(self, network: nn.Module) -> None:
        """Count the network's forward passes, which in a training without validation are its steps."""
        network.register_forward_pre_hook(self._before_step)

    def end(self) -> None:
        """Tell how long the rest took, after the last block."""
        self.connection.send(time.perf_counter() - self.began)

    def _before_step(self, *arguments: Any) -> None:
        if not self.is_alone and self.step >= self.skipped and (self.step - self.skipped) % self.block == 0:
            self.connection.send(time.perf_counter() - self.began)
            self.is_alone = self.connection.recv() == "to the end"
            self.began = time.perf_counter()
        self.step += 1


class Contestant:
    """A training that has come to its first block, and goes on when it is its turn.

    Args:
        train: called in a process of its own with `arguments` and, at last, its `Turns`.
    """

    def __init__(self, train: Callable[..., None], *arguments: Any, skipped: int, block: int) -> None:
        # without this their helpers would be left behind, stopped
        signal.signal(signal.SIGTERM, _leave)
        # a child of a process that has imported everything and done nothing
        context = multiprocessing.get_context("forkserver")
        self.connection, there = context.Pipe()
        process = context.Process(target=_run, args=(train, arguments, skipped, block, there))
        process.start()
        there.close()
        assert process.pid is not None
        self.process = psutil.Process(process.pid)
        self._wait()

    def turn(self) -> float:
        """Seconds of one more block."""
        return self._go("a block")

    def finish(self) -> float:
        """Seconds of all that is left."""
        return self._go("to the end")

    def kill(self) -> None:
        """End it and its helpers, wherever they are."""
        self._signal(signal.SIGKILL)

    def _go(self, how_far: str) -> float:
        self._signal(signal.SIGCONT)
        with contextlib.suppress(OSError):  # it has ended, which the next line finds
            self.connection.send(how_far)
        return self._wait()

    def _wait(self) -> float:
        try:
            seconds: float = self.connection.recv()
        except (EOFError, OSError):
            raise SystemExit("a training ended before its turns were over; what it said stands above") from None
        self._signal(signal.SIGSTOP)
        return seconds

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it is done
            if number != signal.SIGCONT:
                self.process.suspend()  # so that it starts no more
            # the shipping process has a process group of its own
            family = [self.process, *self.process.children(recursive=True)]
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
            if number == signal.SIGKILL:
                psutil.wait_procs(family, timeout=10)


def _leave(number: int, frame: object) -> None:
    """End as by Ctrl-C, so that what is alive is killed first."""
    raise SystemExit(128 + number)


def _run(
    train: Callable[..., None], arguments: tuple[Any, ...], skipped: int, block: int, connection: Connection
) -> None:
    train(*arguments, Turns(skipped, block, connection))
