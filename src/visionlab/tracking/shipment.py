"""The way of one run's journal into MLflow.

A request that was sent but not noted, because the process died in between, is sent again and changes nothing: points
carry the journal's times and are the same rows, and the run is found by its tag. What a server refuses for good is
left out and counted. Everything else that goes wrong is an exception, for the caller to try again later.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from visionlab.tracking import journal, shipment_state
from visionlab.tracking.catalog import campaign_of
from visionlab.tracking.delivery import Send, deliver, explain, in_parallel, is_about_something_missing, is_forbidden
from visionlab.tracking.journal import Record
from visionlab.tracking.mlflow import Store
from visionlab.tracking.package import DEFAULT_ALIAS, Package
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState
from visionlab.tracking.translation import Batch, Network, tables_tag, translate

# a batch is to keep several requests busy
RECORDS_PER_READ, POINTS_PER_BATCH = 1000, 4000


class Shipment:
    """Sends one run's journal. Importing this module imports mlflow."""

    def __init__(self, run: Run) -> None:
        self._run, config = run, run.config()
        self._uri, self._store = config.tracking.uri, Store(config)
        self._state = ShipmentState()
        self._began_anew = False

    def send_all(self) -> None:
        """Send what the journal holds by now; a process that sends the same run at the same time is waited for.

        Raises:
            DamagedJournalError: it cannot be read.
            Exception: whatever a server or a network may come up with.
        """
        with shipment_state.lock(self._run):
            while self.send():
                pass

    def send(self) -> bool:
        """Send a batch of records; whether there were any. The caller holds the run's lock. Raises as `send_all`."""
        self._load()
        records, offset = self._read()
        if not records:
            return False
        try:
            self._send_batch(records, offset)
        except Exception as error:
            if self._began_anew or not is_about_something_missing(error) or self._exists():
                raise
            self._begin_anew()
        return True

    def make_sure(self) -> None:
        """Mend what is wrong with the run in MLflow: it is there twice, or not any more, and then all is sent again."""
        with shipment_state.lock(self._run):
            self._load()
            self._remove_doubles()
            if not self._exists():
                self._begin_anew()

    def _load(self) -> None:
        state = shipment_state.load(self._run)
        self._state = state if state.uri == self._uri else ShipmentState(self._uri)

    def _exists(self) -> bool:
        return self._state.mlflow_run is None or self._store.has(self._state.mlflow_run)

    def _begin_anew(self) -> None:
        self._began_anew = True
        shipment_state.note(self._run, "the run is not in MLflow any more; sending all of it again")
        shipment_state.keep(self._run, ShipmentState(self._uri))

    def _read(self) -> tuple[list[Record], int]:
        """The records of the batch under way, or of a new one, and the offset behind them."""
        file, offset = self._run.journal_file, self._state.offset
        if self._state.records:
            return journal.read(file, offset, self._state.records)
        records: list[Record] = []
        while sum(len(record.get("values", ())) for record in records) < POINTS_PER_BATCH:
            more, offset = journal.read(file, offset, RECORDS_PER_READ)
            records += more
            if len(more) < RECORDS_PER_READ:
                break
        return records, offset

    def _send_batch(self, records: list[Record], offset: int) -> None:
        self._state = replace(self._state, records=len(records))
        batch = translate(records)
        tables = tuple(dict.fromkeys([*self._state.tables, *filter(self._is_readable, batch.tables)]))
        if batch.tables:
            batch.tags |= tables_tag(tables)
        calls = self._calls(self._find_or_make_run(), batch)
        for refused in in_parallel(calls[self._state.done :], self._store.threads):
            self._state = replace(self._state, done=self._state.done + 1, refused=self._state.refused + refused)
            if self._state.done < len(calls):
                self._keep()
        self._keep(offset=offset, records=0, done=0, tables=tables)

    def _keep(self, **changes: Any) -> None:
        self._state = replace(self._state, **changes)
        shipment_state.keep(self._run, self._state)

    def _find_or_make_run(self) -> str:
        """The MLflow run that an earlier shipment made, or a new one."""
        if self._state.mlflow_run is not None:
            return self._state.mlflow_run
        experiment = self._store.experiment()
        self._keep(experiment=experiment)  # a sign of progress, for those who wait
        found = self._store.find(experiment, self._run)
        if not found:
            doubtful = self._state.doubtful
            # until there is an answer: a request that a hanging server has taken may be carried out later
            self._keep(doubtful=True)
            found = [self._store.make_run(experiment, self._run, self._parent())]
            self._state = replace(self._state, doubtful=doubtful)
        self._keep(mlflow_run=found[0], doubtful=self._state.doubtful or len(found) > 1)
        return found[0]

    def _parent(self) -> str | None:
        """The MLflow run of the campaign that this run belongs to, which goes first."""
        campaign = campaign_of(self._run.start())
        if campaign is None:
            return None
        folder = self._run.path.with_name(campaign)
        if not (folder / journal.FILE_NAME).exists():
            return None
        parent = Shipment(Run(folder))
        parent.send_all()
        return parent._state.mlflow_run

    def _calls(self, run: str, batch: Batch) -> list[Callable[[], int]]:
        """The requests that bring a batch to MLflow, the status last; each says how many entries were refused."""
        sends: list[tuple[Send, list[Any]]] = [(partial(self._store.log, run), part) for part in batch.parts()]
        if batch.images:
            sends.append((partial(self._store.log_images, run), batch.images))
        sends += [(lambda texts: self._store.log_text(run, *texts[0]), [item]) for item in batch.texts.items()]
        sends += [(partial(self._send_files, run), [file]) for file in batch.files]
        if batch.models:  # one after the other: the last one is to have the alias
            sends.append((partial(self._send_models, run), batch.models))
        if batch.status is not None:
            sends.append((lambda statuses: self._set_status(run, *statuses[0]), [batch.status]))
        return [partial(self._deliver, run, send, entries) for send, entries in sends]

    def _send_files(self, run: str, files: list[str]) -> None:
        for file in files:
            if self._is_readable(file):
                self._store.log_file(run, self._run, file)
            else:
                shipment_state.note(self._run, f"{file}: is not there any more, or cannot be read; going on without it")

    def _send_models(self, run: str, models: list[Network]) -> None:
        for model in models:
            package = Package(self._run.path / model.folder)
            if not package.is_there:
                shipment_state.note(self._run, f"{model.folder}: is not there any more; going on without it")
                continue
            try:
                sign = partial(shipment_state.give_sign, self._run, model.folder)
                registry = self._store.registry(run, package, model.tags, sign)
                registry.register(model.name, DEFAULT_ALIAS, newest_only=True)
            except Exception as error:
                if not is_forbidden(error):
                    raise
                # who may write runs need not be allowed to write models, or to write this one
                shipment_state.note(self._run, f"model {model.name}: is forbidden ({explain(error)}); going on without")

    def _is_readable(self, file: str) -> bool:
        return os.access(self._run.path / file, os.R_OK)

    def _set_status(self, run: str, status: str, when: int) -> None:
        if status != "RUNNING":
            self._remove_doubles()
        self._store.set_status(run, status, when)

    def _remove_doubles(self) -> None:
        """Remove what a hanging server has made of requests that nobody waited for any more."""
        if self._state.doubtful and self._state.mlflow_run is not None:
            for other in self._store.find(self._store.experiment(), self._run):
                if other != self._state.mlflow_run:
                    self._store.delete(other)

    def _deliver(self, run: str, send: Send, entries: list[Any]) -> int:
        refused = deliver(send, entries, partial(self._store.is_deleted, run))
        if refused:
            entry, error = refused[0]
            label = entry if isinstance(entry, str) else entry[0]
            more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
            shipment_state.note(self._run, f"refused for good: {label}{more} ({explain(error)})")
        return len(refused)
