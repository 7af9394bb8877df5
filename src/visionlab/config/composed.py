"""What composing comes to: plain settings, each with the place where it was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from visionlab.config.source import Source

COMMAND_LINE = "command line"


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
