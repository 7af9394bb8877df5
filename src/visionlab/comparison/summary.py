"""What is known of a run without reading all of its journal, for a list of a thousand runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from visionlab.errors import UserError
from visionlab.tracking import journal
from visionlab.tracking.catalog import campaign_of, is_campaign
from visionlab.tracking.journal import Record
from visionlab.tracking.run import Run

TAIL = 1 << 16  # bytes at the journal's end that hold the last value of nearly every metric
# what the files of a run can make their readers raise when they are damaged
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, UserError)


@dataclass(frozen=True)
class Summary:
    """A run in a list.

    Attributes:
        start: the journal's first record.
        status: FINISHED, FAILED, KILLED or RUNNING.
        report: what the run came to; empty until it has ended.
    """

    run: Run
    start: Record
    status: str
    report: dict[str, Any]

    @classmethod
    def read(cls, run: Run) -> Summary:
        """Read a run.

        Raises:
            UserError: its files are damaged.
        """
        try:
            start = run.start()
            float(start["time"])
            start["params"]["data.name"], start["params"]["model.name"], start["tags"].keys()
            return cls(run, start, run.status(), dict(run.report()))
        except DAMAGE as error:
            raise UserError(f"{run.path}: is damaged ({type(error).__name__}: {error})") from error

    @property
    def campaign(self) -> str | None:
        """The id of the campaign that the run belongs to."""
        return campaign_of(self.start)

    @property
    def is_campaign(self) -> bool:
        """Whether this is a campaign itself."""
        return is_campaign(self.start)

    @property
    def name(self) -> str:
        return str(self.start["params"].get("name"))

    @property
    def experiment(self) -> str:
        """The MLflow experiment that the run belongs to."""
        params = self.start["params"]
        return str(params.get("tracking.experiment") or params["data.name"])

    @cached_property
    def validation(self) -> dict[str, float]:
        """The results of the validation that was best by accuracy, also of a run that has not ended."""
        if "validation" in self.report:
            found: dict[str, float] = self.report["validation"]
            return found
        validations = [
            {name.removeprefix("val/"): value for name, value in values.items() if name.startswith("val/")}
            for values in self._values("val/accuracy", self.run.journal_file.read_bytes())
        ]
        return max(validations, key=lambda values: values["accuracy"], default={})

    @cached_property
    def duration(self) -> float:
        """Seconds from the first record of the journal to the last; pauses count."""
        last = journal.last(self.run.journal_file) or self.start
        return float(last["time"] - self.start["time"]) / 1000

    def metric(self, name: str) -> float | None:
        """The best validation's value of `val/…`, the tested weights' of `test/…`, the last of any other metric."""
        split, _, measure = name.partition("/")
        if split == "val" and measure in self.validation:
            return _number(self.validation[measure])
        if split == "test" and measure in self.report.get("test", {}):
            return _number(self.report["test"][measure])
        return _number(self.last_value(name))

    def last_value(self, name: str) -> float | None:
        """The last value of a metric in the journal; None where it has none."""
        with self.run.journal_file.open("rb") as stream:
            size = stream.seek(0, 2)
            for length in (TAIL, size):
                stream.seek(max(size - length, 0))
                found = self._values(name, stream.read())
                if found:
                    return found[-1][name]
        return None

    def known_metrics(self) -> set[str]:
        """The names of the metrics at the journal's end and in the report."""
        with self.run.journal_file.open("rb") as stream:
            stream.seek(max(stream.seek(0, 2) - TAIL, 0))
            lines = stream.read().split(b"\n")[:-1]
        names = {name for line in lines for name in _metrics(line)}
        return names | {f"val/{name}" for name in self.validation}

    @staticmethod
    def _values(name: str, content: bytes) -> list[dict[str, float]]:
        """The values of every whole record in `content` that has the metric; only these lines are parsed."""
        key = json.dumps(name, ensure_ascii=False).encode() + b": "
        lines = [line for line in content.split(b"\n")[:-1] if key in line]
        return [values for line in lines if name in (values := _metrics(line))]


def summaries(folder: Path) -> tuple[list[Summary], list[str]]:
    """Every run below `folder`, oldest first, and a line for each that is damaged."""
    found, damaged = [], []
    for file in sorted(folder.glob("*/metrics.jsonl")):
        try:
            if file.stat().st_size:
                found.append(Summary.read(Run(file.parent)))
        except (OSError, UserError) as error:
            damaged.append(str(error))
    return sorted(found, key=lambda summary: (summary.start["time"], summary.run.id)), damaged


def _metrics(line: bytes) -> dict[str, float]:
    """The values of a line of the journal; none if it is the end of a line whose beginning was not read."""
    if not line.startswith(b'{"kind": "metrics"'):
        return {}
    return {name: float(value) for name, value in json.loads(line)["values"].items()}


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
