"""A SLURM job whose time is up goes to the queue again, and goes on with the run that it had begun.

SLURM announces the end with a signal (`sbatch --signal=USR1@90`). A job keeps its number when it is requeued, and
its steps, the commands that it starts with srun, are counted anew: so job and step name the run.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from visionlab import project
from visionlab.tracking.run import Run, write_atomically
from visionlab.training.launch import is_srun_step

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


def job() -> str:
    """The number of the job."""
    return os.environ["SLURM_JOB_ID"]


def _restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def _file() -> Path:
    return project.runs() / FOLDER / f"{job()}.{os.environ['SLURM_STEP_ID']}.json"
