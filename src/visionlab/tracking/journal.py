"""The append-only record of a run: one JSON object a line in `metrics.jsonl`.

Each record has a `kind` and the `time` it was written at (milliseconds since 1970):

    {"kind": "start", "time": …, "run": …, "name": …, "params": {…}, "tags": {…}}
    {"kind": "metrics", "time": …, "step": 40, "values": {"train/loss": 0.7}}
    {"kind": "artifact", "time": …, "file": "figures/confusion_matrix.png"}
    {"kind": "table", "time": …, "file": "tables/per_class.json"}
    {"kind": "model", "time": …, "name": "digits", "folder": "models/0123456789abcdef", "tags": {…}}
    {"kind": "dataset", "time": …, "context": "training", "name": …, "digest": …, "images": 45000, "classes": {…}}
    {"kind": "status", "time": …, "status": "FAILED", "tags": {"error.class": …}}
    {"kind": "resume", "time": …, "step": 40, "tags": {"resumed.trainer.max_epochs": "10 -> 20"}}
    {"kind": "member", "time": …, "run": …}

The first record of a run of a campaign also has its "campaign" and "title", that of a campaign itself its "proposer".

A file that is recorded as artifact or table more than once has changed. A line goes to the operating system as soon as
it is written, so a killed process loses nothing that it had recorded; `sync` brings it to the disk.
JSON has no word for NaN and infinity: they stand as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import errno
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionlab.errors import UserError

Record = dict[str, Any]
FILE_NAME = "metrics.jsonl"


class DamagedJournalError(UserError, ValueError):
    """A line of a journal is no JSON."""


class Journal:
    """Writes a journal.

    Args:
        file: created if it is not there, continued if it is.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        _mend_torn_end(file)
        self._stream = file.open("ab", buffering=0)
        self._writing = threading.Lock()

    def append(self, kind: str, **content: Any) -> None:
        """Add a record of this kind, stamped with the time."""
        with self._writing:
            self._write(kind, content)

    def end(self, status: str, tags: Mapping[str, str]) -> None:
        """Record the last word and close: no other thread, such as one that trains on, can have a later one."""
        with self._writing:
            try:
                self._write("status", {"status": status, "tags": tags})
            finally:
                self.close()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record the values that belong to a training step."""
        self.append("metrics", step=step, values={key: _encode(float(value)) for key, value in values.items()})

    def sync(self) -> None:
        """Bring everything written so far to the disk."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        self._stream.close()

    def _write(self, kind: str, content: Mapping[str, Any]) -> None:
        record = {"kind": kind, "time": time.time_ns() // 1_000_000, **content}
        # a path that is no UTF-8 has characters in it that cannot be encoded, but are escapes that JSON knows
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        line = text.encode(errors="backslashreplace") + b"\n"
        # one write of a whole line: other processes that read the file see all of it or an unfinished last line
        written = self._stream.write(line)
        if written != len(line):
            self._stream.truncate(self._stream.seek(0, os.SEEK_END) - (written or 0))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.file))


def read(file: Path, offset: int = 0, limit: int | None = None) -> tuple[list[Record], int]:
    """Read whole records from byte `offset` on, at most `limit` of them.

    Returns:
        The records and the offset behind the last of them. An unfinished last line is left for later.
    """
    records: list[Record] = []
    with file.open("rb") as stream:
        stream.seek(offset)
        for line in stream:
            if not line.endswith(b"\n") or (limit is not None and len(records) >= limit):
                break
            records.append(_decode(line, file, offset))
            offset += len(line)
    for record in records:
        if record["kind"] == "metrics":
            record["values"] = {key: float(value) for key, value in record["values"].items()}
    return records, offset


def last(file: Path) -> Record | None:
    """The last whole record, found from the end of the file."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        for length in (1 << 12, 1 << 20, size):
            stream.seek(max(size - length, 0))
            lines = stream.read().split(b"\n")[:-1]
            # the first line read may have begun earlier, unless all of the file was read
            if len(lines) > 1 or (lines and length >= size):
                return _decode(lines[-1], file, size - len(lines[-1]) - 1)
    return None


def last_steps(file: Path) -> dict[str, int]:
    """The greatest step that each metric was recorded at."""
    steps: dict[str, int] = {}
    for record in read(file)[0]:
        if record["kind"] == "metrics":
            steps |= {name: max(record["step"], steps.get(name, 0)) for name in record["values"]}
    return steps


def without_nan(content: Any) -> Any:
    """The same lists and dictionaries with None for every NaN and infinity, as strict JSON has it."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _decode(line: bytes, file: Path, offset: int) -> Record:
    try:
        return dict(json.loads(line))
    except ValueError:
        found = line[:40].decode(errors="replace").strip()
        raise DamagedJournalError(f"{file}: the line at byte {offset:,} is damaged: no JSON ({found} …)") from None


def _encode(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _mend_torn_end(file: Path) -> None:
    """Drop the half line that a crash in mid-write leaves: what follows would be glued to it."""
    if not file.exists():
        return
    content = file.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with file.open("r+b") as stream:
            stream.truncate(whole)
