"""What is wrong with the `defaults:` lists of the YAML files, by file and line.

Hydra stops at the first mistake and names no line, so this is asked once it has stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from visionlab.config.suggest import did_you_mean

EXAMPLE = "override /model: cnn"


@dataclass(frozen=True)
class Entry:
    """An entry of a defaults list.

    Attributes:
        origin: file and line.
        said: the entry as it stands there.
        own: the folder of its file, below `conf/`; "" is `conf/` itself.
        keywords: those that it begins with.
        group: that it chooses from, as it is written; None where it is the name of a file beside its own.
        names: of the files that it chooses.
    """

    origin: str
    said: str
    own: str
    keywords: tuple[str, ...] = ()
    group: str | None = None
    names: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The group, from `conf/`: with a slash in front it is written so, else from the file's own folder."""
        group = self.group or ""
        return (group if group.startswith("/") else f"{self.own}/{group}").strip("/")


def options(conf: Path, group: str) -> list[str]:
    """The names that `group=…` can be given."""
    return sorted(file.stem for file in (conf / group).glob("*.yaml"))


def choosable(conf: Path, name: str) -> set[str]:
    """The groups that `conf/<name>.yaml` chooses from, so that others can choose instead."""
    return {entry.folder for entry in _entries(conf, name) if entry.group is not None}


def groups(conf: Path) -> list[str]:
    """What there are choices for."""
    return sorted(folder.name for folder in conf.iterdir() if folder.is_dir() and not folder.name.startswith("."))


def defaults_mistakes(conf: Path, name: str, choices: Iterable[str]) -> list[str]:
    """A line for each mistake in the lists of a file, of what is chosen besides, and of all that these build on.

    Args:
        name: of the file, without its suffix.
        choices: made on the command line, as in ``experiment/digits``.
    """
    chosen = choosable(conf, name)
    lines: dict[str, None] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(file, (file,)) for file in (name, *choices)]
    while waiting:
        file, way = waiting.pop(0)
        for entry in _entries(conf, file):
            said = _mistake(conf, entry, chosen if file != name else set())
            files = [f"{entry.folder}/{one}".strip("/") for one in entry.names]
            if said is None and not set(files).isdisjoint(way):
                said = f"defaults: expected files that do not build on themselves, given `{entry.said}`"
            if said is None:
                waiting += [(one, (*way, one)) for one in files]
            else:
                lines.setdefault(f"{said} [{entry.origin}]")
    return list(lines)


def _mistake(conf: Path, entry: Entry, chosen: set[str]) -> str | None:
    """What is wrong with an entry; `chosen` are the groups that the command's own file has chosen from."""
    given = f"given `{entry.said}`"
    if entry.group is None and not entry.names:
        return f"defaults: expected a list with entries such as `{EXAMPLE}`, {given}"
    if not (conf / entry.folder).is_dir():
        if (conf / (entry.group or "")).is_dir():
            return f"{entry.group}: expected /{entry.group}, with a slash as it is a folder of conf/, {given}"
        more = did_you_mean(entry.folder, groups(conf))
        return f"{entry.folder}: expected one of {', '.join(groups(conf))}, {given}{more}"
    known = options(conf, entry.folder)
    unknown = next((one for one in entry.names if one not in known), None)
    if unknown is not None and entry.keywords != ("optional",):
        return f"{entry.folder}: expected one of {', '.join(known)}, given {unknown!r}{did_you_mean(unknown, known)}"
    if entry.group is None:
        return None
    if entry.folder == entry.own and ":" in entry.said:
        return f"{entry.folder}: expected the name alone, to build on it, {given}"
    if "override" not in entry.keywords and entry.folder in chosen:
        return f"{entry.folder}: expected `override /{entry.folder}: …`, as there is a choice to override, {given}"
    return None


def _entries(conf: Path, file: str) -> Iterator[Entry]:
    """The entries of a file's defaults list; an entry without group and names for what is none."""
    path = conf / f"{file}.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    root = yaml.compose(text)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for value in (value for key, value in pairs if key.value == "defaults"):
        for node in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            said = " ".join(text[node.start_mark.index : node.end_mark.index].split())
            nothing = Entry(f"conf/{file}.yaml:{node.start_mark.line + 1}", said, file.rpartition("/")[0])
            if said != "_self_":
                yield _entry(nothing, node) if isinstance(value, yaml.SequenceNode) else nothing


def _entry(nothing: Entry, node: yaml.Node) -> Entry:
    """What a node of a defaults list says: ``name``, ``group: name``, ``group: [name, name]`` or ``group: null``."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(node, None)]
    key, value = pairs[0]
    if len(pairs) != 1 or not isinstance(key.value, str) or key.tag != "tag:yaml.org,2002:str":
        return nothing
    if value is None:
        group, slash, name = key.value.rpartition("/")
        return replace(nothing, group=group if slash else None, names=(name,))
    *keywords, last = key.value.split()
    chosen = value.value if isinstance(value, yaml.SequenceNode) else [value]
    names = tuple(one.value for one in chosen if one.tag == "tag:yaml.org,2002:str" and "${" not in one.value)
    return replace(nothing, keywords=tuple(keywords), group=last.partition("@")[0], names=names)
