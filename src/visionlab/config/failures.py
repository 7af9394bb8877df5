"""Why the YAML files cannot be put together, in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml


def unreadable(conf: Path, error: yaml.MarkedYAMLError) -> str:
    """A file below `conf` is no YAML."""
    mark = error.problem_mark
    if mark is None:
        return f"conf/: a file cannot be read as YAML: {error.problem}"
    file = Path(mark.name)
    label = Path("conf", file.relative_to(conf)) if file.is_relative_to(conf) else file
    return f"{label}:{mark.line + 1}: cannot be read as YAML: {error.problem}"


def unresolved(path: str, error: Exception, origin: Callable[[str], str]) -> str:
    """The value of the setting `path` refers to another one, and cannot be found out."""
    said = str(error).partition("\n")[0]
    return f"{path}: {said} [{origin(path)}]" if path else said


def refused(error: Exception, deletions: Iterable[str]) -> str:
    """Hydra refuses something that is wrong with no defaults list.

    Args:
        deletions: the paths that the command line takes away.
    """
    said = " ".join(str(error).partition("full_key:")[0].split())
    for path in deletions:
        if f"'{path}'" in said:
            return f"{path}: expected something that a YAML file sets, given ~{path} [command line]"
    file = re.match(r"In '([^']+)': .* with ListConfig", said)
    return f"conf/{file[1]}.yaml: expected settings by name, given a list in the place of some" if file else said
