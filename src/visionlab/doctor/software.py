"""Whether what is installed is what `requirements.lock` says."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

from visionlab import project
from visionlab.doctor.finding import Finding, failure, ok, warning

SHOWN = ("torch", "lightning", "torchmetrics", "mlflow")
MOST_NAMED = 5
ADVICE = "`make setup` installs what the lock says"


def check_packages() -> Finding:
    """Versions of Python and of the large libraries, and everything else against the lock."""
    installed = {_normal(part.name): part.version for part in distributions() if part.name}
    versions = ", ".join(f"{name} {installed[name]}" for name in SHOWN if name in installed)
    text = f"Python {platform.python_version()}, {versions}"
    missing = [name for name in SHOWN if name not in installed]
    if missing:
        return failure(f"{text}; {', '.join(missing)} not installed", ADVICE)
    lock = project.root() / "requirements.lock"
    if not lock.exists():
        return warning(
            f"{text}; there is no {lock.name} to compare with", "get it back: `git checkout requirements.lock`"
        )
    others = different(read_lock(lock), installed)
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        return warning(f"{text}; not as in {lock.name}: {', '.join(others[:MOST_NAMED])}{more}", ADVICE)
    return ok(f"{text}; all as in {lock.name}")


def read_lock(lock: Path) -> dict[str, dict[str, bool]]:
    """By package the versions that the lock has for it, and whether each holds on every machine."""
    pinned: dict[str, dict[str, bool]] = {}
    for name, version, rest in re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)([^\n]*)", lock.read_text(), re.M):
        pinned.setdefault(_normal(name), {})[version] = ";" not in rest
    return pinned


def different(pinned: Mapping[str, Mapping[str, bool]], installed: Mapping[str, str]) -> list[str]:
    """What is installed in another version, or not at all although every machine has it.

    A build of the same version, such as torch's own for a CPU (`+cpu`), is no difference.
    """
    lines = []
    for name, versions in pinned.items():
        found = installed.get(name)
        if found is None and any(versions.values()):
            lines.append(f"{name} is not installed")
        elif found is not None and found not in versions and found.partition("+")[0] not in versions:
            lines.append(f"{name} {found} instead of {' or '.join(versions)}")
    return lines


def _normal(name: str) -> str:
    """The name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
