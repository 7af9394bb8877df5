"""Sending, beside a run's own journal, what runs that ended before could not send."""

from __future__ import annotations

import threading

from filelock import Timeout

from visionlab.tracking import shipment_state
from visionlab.tracking.catalog import unshipped
from visionlab.tracking.delivery import explain
from visionlab.tracking.run import Run


class Others:
    """A thread that sends what other runs of the same folder, which have ended, have left.

    Nobody waits for it: what it does not get done when its own run ends is for the next one.
    """

    def __init__(self, own: Run) -> None:
        self._own = own
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="others", daemon=True)

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped.set()

    def _work(self) -> None:
        for run in unshipped(self._own.path.parent):
            if run.id != self._own.id:
                self._ship(run)

    def _ship(self, run: Run) -> None:
        from visionlab.tracking.shipment import Shipment

        try:
            if run.status() == "RUNNING":
                return
            with shipment_state.lock(run).acquire(timeout=0):
                shipment = Shipment(run)
                while not self._stopped.is_set() and shipment.send():
                    pass
        except Timeout:
            return  # another process is at it
        except Exception as error:  # noqa: BLE001 - of a server or a network; the next run will try again
            shipment_state.note(run, explain(error))
