"""What a run of a campaign has come to, read from its journal: the run knows nothing of the campaign's database."""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from visionlab.campaigns.launcher import OUTPUT
from visionlab.config.search import Objective
from visionlab.tracking import journal
from visionlab.tracking.run import Run

LOG_LINES = 3
LONGEST_REASON = 600


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        state: stopped is by a signal that its campaign has sent it.
        values: of the objectives, of a finished run.
        reason: of a failed one, in a line; the last lines of its output are in it.
    """

    state: Literal["finished", "pruned", "stopped", "failed"]
    values: tuple[float, ...] = ()
    reason: str = ""


class Follower:
    """Reads what is new in the journal of a run under way.

    Args:
        metric: that is followed.
    """

    def __init__(self, run: Run, metric: str) -> None:
        self._run, self._metric = run, metric
        self._offset = 0
        self.latest: float | None = None

    def news(self) -> list[tuple[int, float]]:
        """(epoch, value) for each validation since the last call."""
        if not self._run.journal_file.exists():
            return []
        records, self._offset = journal.read(self._run.journal_file, self._offset)
        found = [
            (round(record["values"]["epoch"]), record["values"][self._metric])
            for record in records
            if record["kind"] == "metrics" and self._metric in record["values"] and "epoch" in record["values"]
        ]
        if found:
            self.latest = found[-1][1]
        return found


def outcome(run: Run, exit_code: int | None, objectives: Sequence[Objective]) -> Outcome:
    """How a run whose process is gone has ended.

    Args:
        exit_code: of its process, None where that is not known.
    """
    run_status, tags = _last_word(run)
    if run_status == "FINISHED" and "pruned" in tags:
        return Outcome("pruned")
    if run_status == "FINISHED":
        missing = [objective.metric for objective in objectives if _value(run, objective.metric) is None]
        if missing:
            return Outcome("failed", reason=f"it ended without a value of {', '.join(missing)}")
        return Outcome("finished", tuple(_value(run, objective.metric) or 0.0 for objective in objectives))
    if run_status == "KILLED" and exit_code is not None and exit_code > 0:
        return Outcome("stopped")
    return Outcome("failed", reason=_reason(run, exit_code, tags))


def _last_word(run: Run) -> tuple[str, dict[str, str]]:
    if not run.journal_file.exists() or not journal.read(run.journal_file, limit=1)[0]:
        return "", {}  # it ended before its first word
    run.mark_if_abandoned()
    last = journal.last(run.journal_file)
    if last is None or last["kind"] != "status":
        return "RUNNING", {}
    return str(last["status"]), last.get("tags", {})


def _value(run: Run, metric: str) -> float | None:
    report = run.report()
    if metric == "model.parameters":
        value = run.start()["params"].get(metric)
    elif metric.startswith("val/"):
        value = report.get("validation", {}).get(metric.removeprefix("val/"))
    else:
        value = report.get(metric)
    return None if value is None or math.isnan(value) else float(value)


def _reason(run: Run, exit_code: int | None, tags: dict[str, str]) -> str:
    if "error.class" in tags:
        said = f"{tags['error.class']}: {tags.get('error.message', '')}"
    elif exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        said = f"killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
    elif exit_code:
        said = f"exit code {exit_code}"
    else:
        said = "its process was gone"
    lines = [line.strip() for line in _last_lines(run) if line.strip() and line.strip() not in said]
    whole = " | ".join([" ".join(said.split()), *(" ".join(line.split()) for line in lines[-LOG_LINES:])])
    return whole if len(whole) <= LONGEST_REASON else f"{whole[: LONGEST_REASON - 1]}…"


def _last_lines(run: Run) -> list[str]:
    try:
        with (run.path / OUTPUT).open("rb") as stream:
            stream.seek(max(stream.seek(0, 2) - 4096, 0))
            return stream.read().decode(errors="replace").splitlines()
    except OSError:
        return []
