"""Where a run comes from: code, lock, machine, command. Kept as tags of the run."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from visionlab import __version__

LIBRARIES = ("torch", "lightning", "torchmetrics", "mlflow")


def provenance(root: Path, accelerator: str) -> dict[str, str]:
    """Describe the state that a run starts from.

    Args:
        root: the project's folder, a git checkout or not.
        accelerator: what the run trains on, in words.
    """
    tags = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "host": socket.gethostname(),
        "hardware": accelerator,
        "visionlab": __version__,
        "lock": _lock_hash(root / "requirements.lock"),
    }
    tags |= {library: version(library) for library in LIBRARIES if find_spec(library) is not None}
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        tags["git.commit"] = commit
        tags["git.dirty"] = str(bool(_git(root, "status", "--porcelain"))).lower()
    return tags


def cpu_name() -> str:
    """The processor's model, with the number of cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return f"{name}, {cores} cores"


def _lock_hash(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16] if lock.exists() else "none"


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
