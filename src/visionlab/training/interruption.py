"""Ctrl-C, SIGTERM, a closed terminal: training stops after the step under way, with a checkpoint to go on from.

So it does when SLURM says with SIGUSR1 that the time of a job is nearly up.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from visionlab.errors import InterruptedRun
from visionlab.training import launch

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 4.0
GRACE_BEFORE_THE_END = 45.0  # SLURM says it sooner
SAME_SECONDS = 1.0  # Ctrl-C under torchrun comes from the terminal, and once more from torchrun
MESSAGE = b"visionlab: stopping after this step; once more stops at once"


class Interruption:
    """While entered, SIGNALS raise InterruptedRun: at once, or in training when a step is done.

    Those that were ignored, as under nohup, are ignored further. In training a second signal, or a step that takes
    longer than GRACE_SECONDS, raises at once. In a process that srun has started SIGUSR1 is one of them.

    Attributes:
        received: the first signal, or None.
        deferred: whether somebody asks `requested` after each step.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False
        self._launch = launch.current()
        self._heard: float | None = None
        self._shielded = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        before = {number: signal.getsignal(number) for number in (*_signals(), signal.SIGALRM)}
        self._before = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
        self.take_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def take_over(self) -> None:
        """Handle the signals here, whoever does so now."""
        for number in self._before:
            signal.signal(number, self._on_signal)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """While entered, signals are noted and nothing else: for what must not be left half done."""
        before, self._shielded = self._shielded, True
        try:
            yield
        finally:
            self._shielded = before

    def requested(self, trainer: pl.Trainer) -> bool:
        """Whether the run was told to stop; the processes of a distributed run, where only some may have been, agree.

        All of them have to ask together.
        """
        if trainer.world_size > 1:
            number = torch.tensor(self.received or 0, device=trainer.strategy.root_device)
            torch.distributed.all_reduce(number, op=torch.distributed.ReduceOp.MAX)
            self.received = self.received or int(number) or None
        return self.received is not None

    def stop(self) -> None:
        """Raise InterruptedRun for the signal that was received."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise InterruptedRun(self.received or signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        same_for = SAME_SECONDS if self._launch.is_external else 0.0
        again = self._heard is not None and (number == signal.SIGALRM or now - self._heard > same_for)
        if number != signal.SIGALRM:
            self.received = self.received or number
            self._heard = self._heard or now
        if self._shielded:
            return
        if again or not self.deferred:
            self.stop()
        if self._launch.rank == 0:
            os.write(2, b"\n" + MESSAGE + b"\n")  # print() may be under way itself
        signal.setitimer(signal.ITIMER_REAL, GRACE_BEFORE_THE_END if number == signal.SIGUSR1 else GRACE_SECONDS)


class TakeOver(Callback):
    """Has `interruption` handle the signals in a test, in place of Lightning, whose handler waits for other processes.

    In training `Checkpoints` sees to it.
    """

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interruption.take_over()


def _signals() -> tuple[signal.Signals, ...]:
    return (*SIGNALS, signal.SIGUSR1) if launch.is_srun_step() else SIGNALS
