"""The append-only record of a run: one JSON object a line in `metrics.jsonl`.

Each record has a `kind` and the `time` it was written at (milliseconds since 1970):

    {"kind": "start", "time": …, "run": …, "name": …, "params": {…}, "tags": {…}}
    {"kind": "metrics", "time": …, "step": 40, "values": {"train/loss": 0.7}}
    {"kind": "artifact", "time": …, "file": "figures/confusion_matrix.png"}
    {"kind": "status", "time": …, "status": "FINISHED"}

A line goes to the operating system as soon as it is written, so a killed process loses nothing that it had recorded.
JSON has no word for NaN and infinity: they stand as the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Record = dict[str, Any]
FILE_NAME = "metrics.jsonl"


class Journal:
    """Writes a journal.

    Args:
        file: created if it is not there, continued if it is.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        _mend_torn_end(file)
        self._stream = file.open("ab", buffering=0)

    def append(self, kind: str, **content: Any) -> None:
        """Add a record of this kind, stamped with the time."""
        record = {"kind": kind, "time": time.time_ns() // 1_000_000} | content
        # one write of a whole line: other processes that read or write the file see all of it or nothing
        self._stream.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Record the values that belong to a training step."""
        self.append("metrics", step=step, values={key: _encode(float(value)) for key, value in values.items()})

    def close(self) -> None:
        self._stream.close()


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
            offset += len(line)
            records.append(json.loads(line))
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
                return dict(json.loads(lines[-1]))
    return None


def without_nan(content: Any) -> Any:
    """The same lists and dictionaries with None for every NaN and infinity, as strict JSON has it."""
    if isinstance(content, dict):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


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
