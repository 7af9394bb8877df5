"""Lightning's logger interface to the journal."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from visionlab.tracking.journal import Journal


class JournalLogger(Logger):
    """Writes what Lightning logs to the run's journal. Only the first process has one to write to."""

    def __init__(self, run_id: str, journal: Journal) -> None:
        super().__init__()
        self._run_id, self._journal = run_id, journal

    @property
    def name(self) -> str:
        return "visionlab"

    @property
    def version(self) -> str:
        return self._run_id

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._journal.metrics(step or 0, metrics)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """The engine has written the parameters before training begins."""
