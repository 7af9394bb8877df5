"""Lightning's logger interface to the journal."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from visionlab.tracking import journal as journals
from visionlab.tracking.journal import Journal


class JournalLogger(Logger):
    """Writes what Lightning logs to the run's journal. Only the first process has one to write to.

    A value that the journal already has for a step is not written again: a run that goes on from a checkpoint repeats
    the steps that were done after it.
    """

    def __init__(self, run_id: str, journal: Journal) -> None:
        super().__init__()
        self._run_id, self._journal = run_id, journal
        self._written = journals.last_steps(journal.file)

    @property
    def name(self) -> str:
        return "visionlab"

    @property
    def version(self) -> str:
        return self._run_id

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        step = step or 0
        new = {name: value for name, value in metrics.items() if step > self._written.get(name, -1)}
        if new:
            self._journal.metrics(step, new)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The engine has written the parameters before training begins."""
