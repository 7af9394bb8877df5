"""Where a run comes from: code, lock, machine, command. Kept as tags of the run."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path

from visionlab import __version__

LONGEST_DIFF = 1_000_000
INSTALLED, UNCOMMITTED = "installed.txt", "uncommitted.diff"
LIBRARIES = ("torch", "lightning", "torchmetrics", "mlflow")
PACKAGE = Path(__file__).resolve().parents[1]


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
        "code": code_hash(PACKAGE),
        "lock": _lock_hash(root / "requirements.lock"),
    }
    tags |= {library: version(library) for library in LIBRARIES if find_spec(library) is not None}
    commit = _git(root, "rev-parse", "HEAD")
    if commit:
        tags["git.commit"] = commit
        tags["git.dirty"] = str(bool(_git(root, "status", "--porcelain"))).lower()
    return tags


def write_code_state(root: Path, folder: Path) -> list[Path]:
    """Write what differs from the commit (tracked files only) and what is installed; the files.

    No environment variables: they hold secrets.
    """
    folder.mkdir(exist_ok=True)
    files = [folder / INSTALLED]
    files[0].write_text("\n".join(installed()) + "\n", encoding="utf-8")
    diff = uncommitted(root)
    if diff:
        files.append(folder / UNCOMMITTED)
        files[1].write_text(diff, encoding="utf-8")
    return files


def installed() -> list[str]:
    """`name==version` of every package that can be imported."""
    return sorted(f"{part.name}=={part.version}" for part in distributions())


def uncommitted(root: Path) -> str:
    """What differs from the commit, in tracked files only; cut, and saying so, where it is long."""
    diff = _git(root, "diff", "--no-ext-diff", "--no-color", "HEAD", strip=False)
    cut = diff.encode()[:LONGEST_DIFF].decode(errors="ignore")
    return cut if len(cut) == len(diff) else f"{cut}\n… cut after {LONGEST_DIFF:,} bytes\n"


def code_hash(package: Path) -> str:
    """Of every Python file of a package: the same for the same code, also where git does not know of a file."""
    whole = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        content = file.read_bytes()
        whole.update(f"{file.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


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


def _git(root: Path, *arguments: str, strip: bool = True) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode != 0:
        return ""
    return done.stdout.strip() if strip else done.stdout
