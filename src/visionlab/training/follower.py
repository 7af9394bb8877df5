"""A process that trains along with rank 0: told the settings by it, and ended with it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from pathlib import Path

from visionlab.config.train import TrainConfig
from visionlab.errors import KILLED, InterruptedRun, PrunedRun, RankError, UserError
from visionlab.tracking.run import Run
from visionlab.training.failures import death_of, describe
from visionlab.training.interruption import Interruption
from visionlab.training.lifeline import Line, Message

ALONE_SECONDS = 5.0  # for a process to end by itself when rank 0 is gone
LAST_SECONDS = 20.0  # for rank 0 to end once it knows that another one has failed; torchrun and srun kill after 30


class Follower:
    """This process, where it is not rank 0.

    Args:
        address: where rank 0 listens.
        rank: of this process.
        interruption: entered by the caller.
    """

    def __init__(self, address: str, rank: int, interruption: Interruption) -> None:
        self._interruption = interruption
        self._begin: Message = {}
        self._told = threading.Event()
        self._leaving = threading.Event()
        self._dismissed = threading.Event()
        self._exit_code = 1
        self._line = Line(address, rank, self._hear, self._leave_alone)

    def settings(self) -> tuple[TrainConfig, Run | None, Run | None]:
        """What rank 0 has come to; waits for as long as that lives, whatever it fetches or computes.

        Returns:
            The settings, the run to go on with, None for a new one, and the run that a new one is to come out like.
        """
        self._told.wait()
        run, reproduces = (
            None if self._begin[name] is None else Run(Path(self._begin[name])) for name in ("goes_on", "reproduces")
        )
        return TrainConfig.model_validate(json.loads(self._begin["settings"])), run, reproduces

    def end(self, error: BaseException | None) -> None:
        """Tell rank 0; in a failure wait until that has done its part, as torchrun and srun end all when one has."""
        self._leaving.set()
        if error is None or isinstance(error, PrunedRun):
            self._line.say({"done": True})
            return
        self._line.say(describe(error))
        self._dismissed.wait(LAST_SECONDS)
        os._exit(error.exit_code if isinstance(error, InterruptedRun) else 1)

    def _hear(self, message: Message) -> None:
        if "settings" in message:
            self._begin = message
            self._told.set()
        elif "stop" in message:
            self._exit_code = InterruptedRun(message["stop"]).exit_code
            self._interruption.received = self._interruption.received or message["stop"]
            self._dismissed.set()
        elif "over" in message:
            self._leaving.set()

    def _leave_alone(self) -> None:
        """End this process when rank 0 is gone, unless it does so itself."""
        with contextlib.suppress(OSError, UserError):  # of the disk; this process ends all the same
            self._say_for_rank_0()
        self._dismissed.set()
        if not self._leaving.wait(ALONE_SECONDS):
            os._exit(self._exit_code)

    def _say_for_rank_0(self) -> None:
        """Write the run's last word where rank 0 has died without one.

        Whoever comes first of those on its machine does so: there alone it is certain that it is gone, and that a
        lock which it held is free.
        """
        if self._begin.get("run") is None or self._begin["host"] != socket.gethostname():
            return
        run = Run(Path(self._begin["run"]))
        death = death_of(self._begin["pid"]) if run.status() == "RUNNING" else None
        if death is not None and run.mark_if_abandoned(error := RankError(0, KILLED, death)):
            print(f"visionlab: {error}", file=sys.__stderr__, flush=True)
