"""A SLURM job whose time is up goes to the queue again, and goes on with the run that it had begun.

SLURM announces the end with a signal (`sbatch --signal=USR1@90`). A job keeps its number when it is requeued, and
its steps, which it starts with srun, are counted anew: so job, step and command name the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from visionlab import project
from visionlab.errors import InterruptedRun
from visionlab.tracking.run import Run, write_atomically
from visionlab.training.launch import current, is_srun_step

FOLDER = ".slurm"
SECONDS = 30.0  # for SLURM to answer


def remember(run: Run) -> None:
    """Note that this step of a job has begun a run, for the case that the job is requeued."""
    if is_srun_step():
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"run": run.id, "restarts": _restarts()}))


def begun_before() -> Run | None:
    """The run that this step of a requeued job had begun, if there is one."""
    if not is_srun_step() or not _restarts() or not _file().exists():
        return None
    noted = json.loads(_file().read_text(encoding="utf-8"))
    run = Run(project.runs() / noted["run"])
    # another process of this step may have begun it just now
    return run if noted["restarts"] < _restarts() and run.journal_file.exists() else None


def requeue() -> str | None:
    """Put the job back into the queue; what was wrong, or None."""
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job()], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or f"exit code {done.returncode}"


@contextlib.contextmanager
def before_the_run() -> Iterator[None]:
    """While entered there is no run yet that would see to it that the job is requeued on SIGUSR1."""
    try:
        yield
    except InterruptedRun as stopped:
        if stopped.signal == signal.SIGUSR1 and current().rank == 0:
            wrong = requeue()
            said = "the job is requeued" if wrong is None else f"the job cannot be requeued: {wrong}"
            print(f"visionlab: stopped before the run began; {said}", file=sys.stderr, flush=True)
        raise


def job() -> str:
    """The number of the job."""
    return os.environ["SLURM_JOB_ID"]


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def _file() -> Path:
    # a step may be a script with several commands
    command = hashlib.blake2b("\0".join(sys.argv[1:]).encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return project.runs() / FOLDER / f"{job()}.{os.environ['SLURM_STEP_ID']}.{command}.json"
