"""Runs of a campaign as jobs of a SLURM cluster, by submitit. The only importer of submitit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import submitit

from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.tracking.run import Run

SECONDS_BETWEEN_LOOKS = 2.0  # asking a cluster costs it something
UNKNOWN = 1


class ClusterLauncher:
    """Submits each run as a job. Its folder has to be on a disk that the cluster's machines share.

    Args:
        settings: for submitit's AutoExecutor, such as ``partition``, ``timeout_min``, ``gpus_per_node``; ``cluster``
            is slurm unless it says local or debug.
        folder: of the campaign; the jobs' own files go below it.

    Raises:
        UserError: there is no such cluster here, or it has no such setting.
    """

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        options = {"cluster": "slurm", "name": folder.name} | dict(settings)
        try:
            self._executor = submitit.AutoExecutor(folder / "jobs", cluster=options.pop("cluster"))
            self._executor.update_parameters(**options)
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise UserError(
                f"campaign.slurm: expected settings that submitit can use here, given others: {said}"
            ) from None

    def prepare(self, config: TrainConfig, told_to_stop: Callable[[], bool]) -> None:
        """Nothing: each job imports its libraries by itself, and the data are where the jobs are."""

    def start(self, run: Run, slot: int) -> ClusterJob:
        return ClusterJob(self._executor.submit(_carry_out, str(run.path)))

    def close(self) -> None:
        """Jobs were ended one by one."""


class ClusterJob:
    """A run as a job."""

    def __init__(self, job: submitit.Job[int]) -> None:
        self._job = job
        self._looked, self._done = 0.0, False

    def exit_code(self) -> int | None:
        now = time.monotonic()
        if not self._done and now - self._looked > SECONDS_BETWEEN_LOOKS:
            self._looked, self._done = now, self._job.done(force_check=True)
        if not self._done:
            return None
        try:
            return int(self._job.result())
        except Exception:  # noqa: BLE001 - whatever has ended the job
            return UNKNOWN

    def stop(self) -> None:
        self._job.cancel(check=False)

    def kill(self) -> None:
        self._job.cancel(check=False)


def _carry_out(folder: str) -> int:
    import os
    import sys

    from visionlab.campaigns.child import carry_out
    from visionlab.campaigns.launcher import OUTPUT

    with (Path(folder) / OUTPUT).open("ab", buffering=0) as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    code = carry_out(Path(folder))
    sys.stdout.flush()
    return code
