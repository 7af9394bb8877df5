"""From the YAML files and the command line to one plain dictionary. The only importer of hydra.

A difference to Hydra's own command line: a value override is always taken, whether or not a YAML file already has the
key, because pydantic knows every key there is and says of all the wrong ones at once what they should have been.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.defaults_list import DefaultsList
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from visionlab.config.suggest import did_you_mean
from visionlab.errors import ConfigError

COMMAND_LINE = "command line"
EXPERIMENT = "experiment"


@dataclass(frozen=True)
class Source:
    """A YAML file, and the place in the configuration that its content belongs at ("" is the root)."""

    file: Path
    label: str
    package: str = ""

    def line_of(self, path: str) -> int | None:
        """The line that sets the dotted `path`, or None."""
        if self.package and not path.startswith(f"{self.package}."):
            return None
        inside = path.removeprefix(f"{self.package}.") if self.package else path
        node, line = yaml.compose(self.file.read_text()), None
        for key in inside.split("."):
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
        while path:
            if path in self.overrides:
                return COMMAND_LINE
            for source in reversed(self.sources):
                line = source.line_of(path)
                if line is not None:
                    return f"{source.label}:{line}"
            path = path.rpartition(".")[0]
        return "defaults"


def options(conf: Path, group: str) -> list[str]:
    """The names that `group=…` can be given."""
    return sorted(file.stem for file in (conf / group).glob("*.yaml"))


def compose_config(conf: Path, name: str, arguments: list[str]) -> Composed:
    """Compose `conf/<name>.yaml` with the given overrides (`group=name`, `path=value`, `~path`).

    An override that cannot be read, or chooses what there is not, is left out and becomes one of the `mistakes`, so
    that the rest can be checked as well.

    Raises:
        ConfigError: a YAML file is broken.
    """
    mistakes: list[str] = []
    overrides: list[Override] = []
    for argument in arguments:
        try:
            overrides.append(_parse(conf, argument))
        except ConfigError as error:
            mistakes += error.lines
    values, sources = _compose(conf, name, overrides)
    for group, section in _chosen_by_hand(conf, name, overrides).items():
        values[group] = section
    return Composed(values, frozenset(override.key_or_group for override in overrides), sources, tuple(mistakes))


def _compose(conf: Path, name: str, overrides: list[Override]) -> tuple[dict[str, Any], list[Source]]:
    typed = [_as_hydra(conf, override) for override in overrides]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            config = compose(name, typed)
            defaults = GlobalHydra.instance().config_loader().compute_defaults_list(name, typed, RunMode.RUN)
        values = OmegaConf.to_container(config, resolve=True)
    except UnicodeDecodeError as error:
        raise ConfigError([f"conf/: expected YAML files in UTF-8, found one that is not ({error})"]) from None
    except (yaml.YAMLError, HydraException, OmegaConfBaseException) as error:
        raise ConfigError([_explain(error)]) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}, _sources(conf, defaults)


def _chosen_by_hand(conf: Path, name: str, overrides: list[Override]) -> dict[str, Any]:
    """The sections for which the command line chooses something else than the experiment does.

    The experiment's settings of such a section were meant for its own choice: they are left out.
    """
    plain = [override for override in overrides if override.key_or_group != EXPERIMENT]
    choices = {override.key_or_group for override in plain if (conf / override.key_or_group).is_dir()}
    if len(plain) == len(overrides) or not choices:
        return {}
    unchosen, _ = _compose(conf, name, [override for override in overrides if override.key_or_group == EXPERIMENT])
    chosen, _ = _compose(conf, name, plain)
    return {
        group: chosen[group]
        for group in choices
        if isinstance(chosen.get(group), dict) and chosen[group].get("name") != unchosen[group].get("name")
    }


def _parse(conf: Path, argument: str) -> Override:
    if "=" not in argument and not argument.startswith("~"):
        choices = [f"{group.name}={name}" for group in conf.iterdir() for name in options(conf, group.name)]
        near = [choice for choice in choices if choice.endswith(f"={argument}")]
        hint = f"; did you mean {' or '.join(near)}?" if near else did_you_mean(argument, choices)
        raise ConfigError([f"{argument}: expected key=value, given a lone word{hint} [{COMMAND_LINE}]"])
    parser = OverridesParser.create()
    try:
        override = parser.parse_override(argument)
    except HydraException:
        # A value with characters that Hydra's grammar wants quoted, such as ~/leaves: take it as it stands.
        key, _, value = argument.partition("=")
        try:
            override = parser.parse_override(f"{key}='" + value.replace("\\", "\\\\").replace("'", "\\'") + "'")
        except HydraException:
            raise ConfigError([f"{argument}: expected key=value, given {argument!r} [{COMMAND_LINE}]"]) from None
    key = override.key_or_group
    if key.partition(".")[0] == "hydra":
        raise ConfigError([f"{key}: expected a known setting, given one of Hydra's own [{COMMAND_LINE}]"])
    if override.is_sweep_override():
        raise ConfigError([f"{key}: expected one value, given {argument.partition('=')[2]} [{COMMAND_LINE}]"])
    if (conf / key).is_dir() and not override.is_delete() and override.value() not in options(conf, key):
        names = options(conf, key)
        given = override.value()
        expected = f"expected one of {', '.join(names)}, given {given!r}"
        raise ConfigError([f"{key}: {expected}{did_you_mean(str(given), names)} [{COMMAND_LINE}]"])
    return override


def _as_hydra(conf: Path, override: Override) -> str:
    """Make a value override one that Hydra takes also where no YAML file has the key."""
    line = (override.input_line or "").lstrip("+")
    return line if override.is_delete() or (conf / override.key_or_group).is_dir() else f"++{line}"


def _sources(conf: Path, defaults: DefaultsList) -> list[Source]:
    return [
        Source(file, f"conf/{default.config_path}.yaml", default.package or "")
        for default in defaults.defaults
        if default.config_path and (file := conf / f"{default.config_path}.yaml").exists()
    ]


def _explain(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: expected YAML, given {error.problem}"
    if isinstance(error, MissingConfigException):
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        names = sorted(error.options or [])
        return f"{group or 'config'}: expected one of {', '.join(names)}, given {name!r}{did_you_mean(name, names)}"
    return " ".join(str(error).split())
