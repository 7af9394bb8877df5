"""A run on its way to MLflow and, where it is a campaign, the runs that belong to it. Importing this imports mlflow."""

from __future__ import annotations

from dataclasses import replace

from visionlab.tracking import journal, shipment_state
from visionlab.tracking.catalog import has_more, is_campaign
from visionlab.tracking.journal import DamagedJournalError
from visionlab.tracking.run import Run
from visionlab.tracking.shipment import Shipment


class Convoy:
    """Sends the journal of a run, and those of the members that a campaign's journal names, after its own.

    Args:
        run: single or a campaign.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._shipment = run, Shipment(run)
        self._members: dict[Run, Shipment | None] = {}
        self._offset = 0

    def send_all(self) -> None:
        """Send what there is by now.

        Raises:
            DamagedJournalError: the run's own cannot be read; members of which that is true are noted and left behind.
            Exception: whatever a server or a network may come up with.
        """
        self._shipment.send_all()
        if not is_campaign(self._run.start()):
            return
        self._find_members()
        for member in list(self._members):
            try:
                self._send(member)
            except DamagedJournalError as error:
                shipment_state.note(self._run, f"{member.id}: {error}; going on without it")
                del self._members[member]

    def _find_members(self) -> None:
        records, self._offset = journal.read(self._run.journal_file, self._offset)
        for record in records:
            if record["kind"] == "member":
                self._members[Run(self._run.path.with_name(record["run"]))] = None

    def _send(self, member: Run) -> None:
        if not member.journal_file.exists():  # its process is about to begin, or it failed before, or was removed
            return
        ended = member.status() != "RUNNING"
        if has_more(member):
            shipment = self._members[member] or Shipment(member)
            self._members[member] = shipment
            before = shipment_state.load(member).offset
            shipment.send_all()
            arrived = shipment_state.load(member).offset - before
            with shipment_state.lock(self._run):
                state = shipment_state.load(self._run)
                shipment_state.keep(self._run, replace(state, members=state.members + arrived))
        if ended:
            del self._members[member]
