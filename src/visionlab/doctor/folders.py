"""Whether there is a place to write to, and room on it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from visionlab import project
from visionlab.doctor.finding import Finding, Level, failure, ok, warning

GIGABYTE = 1e9
LITTLE = 5.0  # gigabytes: a download, its unpacked copy and the checkpoints of a few runs


def check_runs() -> Finding:
    """The folder that runs write to."""
    return check_folder(project.runs(), "VISIONLAB_HOME")


def check_mlruns() -> Finding:
    """The folder of the MLflow store."""
    return check_folder(project.home() / "mlruns", "VISIONLAB_HOME")


def check_data() -> Finding:
    """The folder of the data sets. A shared one that may only be read serves, if they are in it already."""
    finding = check_folder(project.data(), "VISIONLAB_DATA")
    return finding._replace(level=Level.WARNING) if finding.level is Level.FAILURE else finding


def check_folder(folder: Path, variable: str) -> Finding:
    """Whether `folder`, or the folder in which it will be made, can be written to and has room."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return failure(f"{folder}: cannot be written to ({error.strerror})", f"set {variable} to a folder that can be")
    free = shutil.disk_usage(existing).free / GIGABYTE
    text = f"{folder}, {free:,.0f} GB free"
    if free < LITTLE:
        return warning(text, f"make room: `visionlab rm RUN`, or set {variable} to a larger disk")
    return ok(text)
