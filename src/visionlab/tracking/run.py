"""The folder of a run: `runs/<id>/` with `config.yaml`, the journal, `checkpoints/`, `figures/` and `report.json`."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from visionlab.config.resolved import dump_config, flatten, read_config
from visionlab.config.train import TrainConfig
from visionlab.errors import RankError, UserError
from visionlab.tracking import journal
from visionlab.tracking.journal import Journal, Record

SILENCE_SECONDS = 3600.0  # a run that lives writes its machine's load more often
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # no 0, 1, i, l, o: ids are read aloud and typed


class Run:
    """One run on disk.

    Attributes:
        path: the run's folder. Its name is the run's id: four random characters, so that few of them are a unique
            prefix, and the run's name, so that it says what it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, folder: Path, config: TrainConfig) -> Run:
        """Make a new run folder below `folder` that holds the resolved configuration.

        Raises:
            UserError: the folder cannot be written to.
        """
        while True:
            prefix = "".join(secrets.choice(_ALPHABET) for _ in range(4))
            path = folder / f"{prefix}-{config.name}"
            if any(folder.glob(f"{prefix}-*")):
                continue
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                raise UserError(
                    f"{folder}: expected a folder that can be written to ({error.strerror}); set VISIONLAB_HOME to one"
                ) from None
            run = cls(path)
            run.save_config(config)
            return run

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def journal_file(self) -> Path:
        return self.path / journal.FILE_NAME

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def journal(self) -> Journal:
        """Open the journal for writing."""
        return Journal(self.journal_file)

    def lock(self) -> FileLock:
        """Take the lock that a run's process holds as long as it lives.

        Raises:
            UserError: another process has it.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.id}: is being trained by another process; stop that first") from None
        return lock

    def mark_if_abandoned(self, reason: RankError | None = None) -> bool:
        """Give a run whose process is gone, without a last word, the status KILLED; whether it was such a run.

        Args:
            reason: the status is then FAILED. Known to the other processes of a distributed run alone, which say it
                where that process was on their own machine.
        """
        if self.status() != "RUNNING" or (reason is None and not self._lock_can_be_trusted()):
            return False
        try:
            lock = self.lock()
        except UserError:
            return False
        with lock:
            if self.status() == "RUNNING":
                writer = self.journal()
                if reason is None:
                    writer.end("KILLED", {"signal": "unknown, the process was gone"})
                else:
                    writer.end("FAILED", reason.tags)
        return True

    def _lock_can_be_trusted(self) -> bool:
        """Whether a lock that nobody holds here means that nobody holds it: shared folders may not share locks."""
        here = self.start()["tags"].get("host") in (None, socket.gethostname())
        return here or time.time() - self.journal_file.stat().st_mtime > SILENCE_SECONDS

    def start(self) -> Record:
        """The journal's first record: name, parameters and tags."""
        if self.journal_file.exists():
            records, _ = journal.read(self.journal_file, limit=1)
            if records:
                return records[0]
        raise UserError(f"{self.path}: expected the folder of a run, found no {journal.FILE_NAME} in it")

    def status(self) -> str:
        """FINISHED, FAILED or KILLED if that is the journal's last word, else RUNNING."""
        last = journal.last(self.journal_file)
        return str(last["status"]) if last is not None and last["kind"] == "status" else "RUNNING"

    def save_config(self, config: TrainConfig) -> None:
        """Replace the configuration."""
        write_atomically(self.path / "config.yaml", dump_config(config))

    def changes(self, config: TrainConfig) -> dict[str, tuple[Any, Any]]:
        """By dotted path the run's own and the given value of what differs."""
        old, new = (flatten(part.model_dump(mode="json")) for part in (self.config(), config))
        keys = [*new, *(key for key in old if key not in new)]
        return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}

    def check_data(self, fingerprint: str) -> None:
        """Make sure that a data set is still the one of this run.

        Raises:
            UserError: its content has changed, so results would not be comparable and tested images perhaps trained on.
        """
        recorded = self.start()["tags"].get("data.fingerprint")
        if recorded is not None and recorded != fingerprint:
            raise UserError(
                f"{self.id}: expected the data it was trained on (fingerprint {recorded[:12]}), found others "
                f"({fingerprint[:12]}): images were added, removed or changed since; train a new run"
            )

    def config(self) -> TrainConfig:
        """The resolved configuration."""
        return read_config(self.path / "config.yaml")

    def checkpoint(self) -> Path:
        """The weights that were chosen: the best by validation, or the last where there was no validation."""
        for name in ("best.ckpt", "last.ckpt"):
            if (self.checkpoints / name).exists():
                return self.checkpoints / name
        raise UserError(f"{self.id}: has no checkpoint; the run ended before its first one")

    def report(self) -> dict[str, Any]:
        """What the run came to: `validation` and `test` results, as far as there are any."""
        file = self.path / "report.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def add_to_report(self, **content: Any) -> None:
        """Merge top-level entries into `report.json`; what is not defined, such as a rate of no images, is null."""
        report = journal.without_nan(self.report() | content)
        write_atomically(self.path / "report.json", json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False))

    def add_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> str:
        """Write `tables/<name>.json` in the form that MLflow shows as a table; the file's path in the run.

        What is not defined, such as a rate of no images, is null, as MLflow itself writes it: its pages are blank where
        a table is no strict JSON.
        """
        file = self.path / "tables" / f"{name}.json"
        file.parent.mkdir(exist_ok=True)
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        content = journal.without_nan({"columns": list(columns), "data": rows})
        write_atomically(file, json.dumps(content, ensure_ascii=False, allow_nan=False))
        return str(file.relative_to(self.path))


def write_atomically(file: Path, text: str) -> None:
    """Write under a temporary name, then rename: a reader finds the old content or the new, never half of it."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
