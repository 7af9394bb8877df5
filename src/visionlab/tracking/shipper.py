"""The process that copies a run's journal to MLflow while the run goes on.

    python -m visionlab.tracking.shipper RUN_FOLDER PID_OF_THE_TRAINING_PROCESS

A process of its own, which runs when the processors are free, rather than a thread: importing mlflow takes seconds of
a thread's time that training would wait for, and a server that hangs cannot keep the training process from ending. It
ends by itself when it has sent the run's final status, or when the training process is gone and nothing is left to
send. Meanwhile it sends what runs that ended earlier could not. One such process serves a whole campaign.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from visionlab.errors import UserError
from visionlab.tracking import shipment_state
from visionlab.tracking.delivery import explain
from visionlab.tracking.others import Others
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState

POLL_SECONDS, END_SECONDS = 0.5, 0.1  # from one look for records to the next, for the run's end
LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_AT_THE_END_SECONDS = 30.0, 2.0
# how long a run that has ended waits: for a sign of progress, for the first one, in all after Ctrl-C.
# Two requests of a server that takes 10 seconds for each may lie between two signs.
PATIENCE_SECONDS, IMPORT_SECONDS, HURRIED_SECONDS = 25.0, 120.0, 3.0
SURVIVED_SECONDS = 15.0  # for the other processes of a distributed run to say how the first one has died, however busy


class Shipper:
    """Starts the shipping process and, at the end of the run, waits for it a while."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start shipping; a second call does nothing."""
        if self._process is not None:
            return
        self._patience = Patience(self._run, IMPORT_SECONDS)
        with (self._run.path / shipment_state.LOG_NAME).open("ab") as log:
            # a session of its own: Ctrl-C in the terminal is for the training process
            self._process = subprocess.Popen(
                [sys.executable, "-m", "visionlab.tracking.shipper", str(self._run.path), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, in_a_hurry: bool) -> bool:
        """Wait until everything is sent, as long as there is progress or, in a hurry, a few seconds; whether it was."""
        if self._process is None and in_a_hurry:
            return False  # it would not even have imported mlflow
        if self._process is not None and self._process.poll():
            self._process = None  # somebody has killed it
        self.start()
        assert self._process is not None
        end = time.monotonic() + (HURRIED_SECONDS if in_a_hurry else float("inf"))
        while time.monotonic() < end and not self._patience.is_over():
            try:
                return self._process.wait(0.1) == 0
            except subprocess.TimeoutExpired:
                continue
        self._process.kill()
        self._process.wait()
        return False


class Patience:
    """Waits for signs of progress in the shipping of a run.

    Args:
        first: seconds to wait for the first sign; from then on it is PATIENCE_SECONDS.
    """

    def __init__(self, run: Run, first: float) -> None:
        self._run, self._seconds = run, first
        self._sign, self._since = shipment_state.last_sign(run), time.monotonic()

    def is_over(self) -> bool:
        """Whether the last sign was too long ago."""
        sign = shipment_state.last_sign(self._run)
        if sign != self._sign:
            self._sign, self._since, self._seconds = sign, time.monotonic(), PATIENCE_SECONDS
        return time.monotonic() - self._since > self._seconds


def ship_everything(run: Run) -> ShipmentState:
    """Send all that is left of a run's journal, and of those of its members; errors of the server come through."""
    _keep_to_oneself()
    from visionlab.tracking.convoy import Convoy
    from visionlab.tracking.shipment import Shipment

    Shipment(run).make_sure()
    Convoy(run).send_all()
    return shipment_state.load(run)


def main(folder: Path, trainer: int) -> int:
    """Ship until the run has ended and its last record is sent; the exit code, 1 if it was given up."""
    _step_back()
    for number in (signal.SIGINT, signal.SIGUSR1):  # SLURM sends the latter to all processes of a step
        signal.signal(number, signal.SIG_IGN)
    _keep_to_oneself()
    run = Run(folder)
    with _nothing_collected():
        from visionlab.tracking.convoy import Convoy

        convoy: Convoy | None = None
        with contextlib.suppress(Exception):  # the same will go wrong below
            convoy = Convoy(run)
    with shipment_state.lock(run):
        state = shipment_state.load(run)  # the sign that mlflow is imported, and a new database made
        shipment_state.keep(run, replace(state, processes=state.processes + 1))
    others = Others(run)
    patience: Patience | None = None
    pause, complaint = POLL_SECONDS, ""
    while True:
        if os.getppid() != trainer:
            _wait_for_other_processes(run)
            run.mark_if_abandoned()
            patience = patience or Patience(run, PATIENCE_SECONDS)
        ended = _has_ended(run, trainer)
        if ended:
            _step_forward()
            others.stop()
        try:
            convoy = convoy or Convoy(run)
            convoy.send_all()
        except Exception as error:  # noqa: BLE001 - whatever a server or a network may come up with: try again later
            if patience is not None and patience.is_over():
                return 1
            if (reason := explain(error)) != complaint:
                shipment_state.note(run, reason)
            convoy, complaint = None, reason
            pause = min(2 * pause, LONGEST_PAUSE_AT_THE_END_SECONDS if ended else LONGEST_PAUSE_SECONDS)
        else:
            if ended:
                return 0
            pause, complaint = POLL_SECONDS, ""
            others.start()
        _rest(run, trainer, pause, ended)


def _has_ended(run: Run, trainer: int) -> bool:
    return os.getppid() != trainer or run.status() != "RUNNING"


def _wait_for_other_processes(run: Run) -> None:
    """Of a distributed run the others know better why it has ended, and say so at once."""
    end = time.monotonic() + SURVIVED_SECONDS
    with contextlib.suppress(UserError, ValueError):  # a configuration that cannot be read, or of a campaign
        while run.status() == "RUNNING" and run.config().trainer.world_size > 1 and time.monotonic() < end:
            time.sleep(END_SECONDS)


def _rest(run: Run, trainer: int, seconds: float, ended: bool) -> None:
    """Do nothing for a while, but no longer than until the run ends: then somebody waits."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, END_SECONDS))
        if not ended and _has_ended(run, trainer):
            return


def _step_back() -> None:
    """Use the processors only when nobody else does.

    Merely the lowest priority is not enough: training's threads sleep and wake thousands of times a second, and would
    each time wait for a slice of this process to end, which costs it 2 to 4 %.
    """
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _step_forward() -> None:
    """Take part again, as far as the system lets it: the run has ended, and somebody waits."""
    if hasattr(os, "SCHED_OTHER"):
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Without looking for garbage: among the many objects that mlflow's modules are it takes a seventh of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _keep_to_oneself() -> None:
    """To be done before mlflow is imported: it would report its use to its makers, and print what nobody asked for."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")


if __name__ == "__main__":
    # at once: requests about other runs may wait for their server
    os._exit(main(Path(sys.argv[1]), int(sys.argv[2])))
