"""What runs have left undone."""

from __future__ import annotations

from filelock import FileLock, Timeout

from visionlab import project
from visionlab.comparison.summary import Summary, summaries
from visionlab.doctor.finding import Finding, ok, warning
from visionlab.tracking.catalog import unshipped

MOST_NAMED = 3


def check_folders() -> Finding:
    """Whether every run's files can be read."""
    found, damaged = summaries(project.runs())
    if damaged:
        return warning(f"{len(damaged)} of {len(damaged) + len(found)} damaged: {damaged[0]}", "`visionlab rm RUN`")
    return ok(f"{len(found)} in {project.runs()}")


def check_abandoned() -> Finding:
    """Runs that say they are running although nobody holds their lock."""
    running = [one for one in summaries(project.runs())[0] if one.status == "RUNNING"]
    gone = [one.run.id for one in running if _is_free(one)]
    if gone:
        return warning(
            f"the process of {_names(gone)} is gone", "`visionlab runs` marks it, `visionlab resume` goes on"
        )
    return ok(f"{len(running)} under way" if running else "none under way")


def check_shipping() -> Finding:
    """Runs that have ended and whose journal is not in MLflow as a whole."""
    waiting = [run.id for run in unshipped(project.runs()) if run.status() != "RUNNING"]
    if waiting:
        return warning(f"not all of {_names(waiting)} is in MLflow", "`visionlab sync` sends it")
    return ok("MLflow has all of the runs that have ended")


def _is_free(summary: Summary) -> bool:
    file = summary.run.path / ".lock"
    if not file.exists():  # looking is not to make one
        return True
    try:
        with FileLock(file).acquire(timeout=0):
            return True
    except (Timeout, OSError):
        return False


def _names(ids: list[str]) -> str:
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return ", ".join(ids[:MOST_NAMED]) + more
