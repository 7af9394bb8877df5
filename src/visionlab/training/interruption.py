"""Ctrl-C, SIGTERM, a closed terminal: training stops after the step under way, with a checkpoint to go on from."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from visionlab.errors import InterruptedRun

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 4.0
MESSAGE = b"visionlab: stopping after this step; once more stops at once"


class Interruption:
    """While entered, SIGNALS raise InterruptedRun: at once, or in training when a step is done.

    Those that were ignored, as under nohup, are ignored further. In training a second signal, or a step that takes
    longer than GRACE_SECONDS, raises at once.

    Attributes:
        received: the first signal, or None.
        deferred: whether somebody asks `requested` after each step.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False
        self._shielded = False
        self._told_others = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        before = {number: signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)}
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
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False

    def requested(self, trainer: pl.Trainer) -> bool:
        """Whether the run was told to stop; the processes of a distributed run, where only some may have been, agree.

        All of them have to ask together.
        """
        told = self.received is not None
        if trainer.world_size == 1:
            return told
        launcher = trainer.strategy.launcher
        if self.received is not None and not self._told_others and isinstance(launcher, _SubprocessScriptLauncher):
            self._told_others = True
            launcher.kill(self.received)
        return bool(trainer.strategy.reduce_boolean_decision(told, all=False))

    def stop(self) -> None:
        """Raise InterruptedRun for the signal that was received."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise InterruptedRun(self.received or signal.SIGTERM)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        again = self.received is not None
        if number != signal.SIGALRM:
            self.received = self.received or number
        if self._shielded:
            return
        if again or not self.deferred:
            self.stop()
        # print() may be under way itself
        os.write(2, b"\n" + MESSAGE + b"\n")
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
