"""Where settings come from: the YAML files, with the line of each, and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Source:
    """A YAML file, and the place in the configuration that its content belongs at ("" is the root)."""

    file: Path
    label: str
    package: str = ""

    def line_of(self, path: str) -> int | None:
        """The line that sets the dotted `path`, or something below it where that is all of the file; or None."""
        node, line = yaml.compose(self.file.read_text(encoding="utf-8")), None
        if f"{self.package}.".startswith(f"{path}."):
            return node.start_mark.line + 1 if node is not None else 1
        if self.package and not path.startswith(f"{self.package}."):
            return None
        inside = path.removeprefix(f"{self.package}.") if self.package else path
        for key in inside.split("."):
            if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
                node = node.value[int(key)]
                line = node.start_mark.line + 1
                continue
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            found = next(((k, v) for k, v in pairs if k.value == key), None)
            if found is None:
                return None
            node, line = found[1], found[0].start_mark.line + 1
        return line


@dataclass(frozen=True)
class Composed:
    """The merged settings, and where each of them was said."""

    values: dict[str, Any]
    overrides: frozenset[str]  # dotted paths given on the command line
    sources: list[Source]  # later ones win
    mistakes: tuple[str, ...] = ()  # a line for each override that was left out

    def origin(self, path: str) -> str:
        """The file and line, or the command line, that the dotted `path` comes from."""
        if any(override.startswith(f"{path}.") for override in self.overrides):
            return COMMAND_LINE
        while path:
            if path in self.overrides:
                return COMMAND_LINE
            for source in reversed(self.sources):
                line = source.line_of(path)
                if line is not None:
                    return f"{source.label}:{line}"
            path = path.rpartition(".")[0]
        return "defaults"
