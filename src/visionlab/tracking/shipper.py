"""The process that copies a run's journal to MLflow while the run goes on.

    python -m visionlab.tracking.shipper RUN_FOLDER PID_OF_THE_TRAINING_PROCESS

A process of its own, at the lowest priority, rather than a thread: importing mlflow takes seconds of a thread's time
that training would wait for, and a server that hangs cannot keep the training process from ending. It ends by itself
when it has sent the run's final status, or when the training process is gone and nothing is left to send.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from visionlab.tracking.run import Run

POLL_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
PATIENCE_SECONDS = 20.0
HURRIED_SECONDS = 3.0


class Shipper:
    """Starts the shipping process and, at the end of the run, waits for it a while."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start shipping; a second call does nothing."""
        if self._process is not None:
            return
        log = (self._run.path / "shipper.log").open("ab")
        # a session of its own: Ctrl-C in the terminal is for the training process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "visionlab.tracking.shipper", str(self._run.path), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()

    def finish(self, in_a_hurry: bool) -> bool:
        """Wait until everything is sent, not longer than PATIENCE_SECONDS or, in a hurry, a few; whether it was."""
        self.start()
        assert self._process is not None
        try:
            return self._process.wait(HURRIED_SECONDS if in_a_hurry else PATIENCE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False


def ship_everything(run: Run) -> None:
    """Send all that is left of a run's journal; errors of the server come through."""
    from visionlab.tracking.mlflow import Shipment

    Shipment(run).send_all()


def main(folder: Path, trainer: int) -> None:
    """Ship until the run has ended and its last record is sent."""
    # on machines that spare it, waiting costs training nothing
    os.nice(19)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from visionlab.tracking.mlflow import Shipment

    run = Run(folder)
    shipment: Shipment | None = None
    pause = POLL_SECONDS
    while True:
        orphaned = os.getppid() != trainer
        ended = orphaned or run.status() != "RUNNING"
        try:
            shipment = shipment or Shipment(run)
            shipment.send_all()
        except Exception as error:  # noqa: BLE001 - whatever a server or a network may come up with: try again later
            print(f"{time.strftime('%F %T')} {type(error).__name__}: {error}", flush=True)
            shipment, pause = None, min(2 * pause, LONGEST_PAUSE_SECONDS)
            if orphaned:
                sys.exit(1)
        else:
            pause = POLL_SECONDS
            if ended:
                return
        time.sleep(pause)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
