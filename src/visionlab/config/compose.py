"""From the YAML files and the command line to one plain dictionary. The only importer of hydra.

A difference to Hydra's own command line: a value override is always taken, whether or not a YAML file already has the
key, because pydantic knows every key there is and says of all the wrong ones at once what they should have been.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.defaults_list import DefaultsList
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString, Transformer
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from visionlab.config.defaults import choosable, defaults_mistakes, options
from visionlab.config.expectation import show
from visionlab.config.failures import refused, unreadable, unresolved
from visionlab.config.source import COMMAND_LINE, Composed, Source
from visionlab.config.suggest import did_you_mean
from visionlab.errors import ConfigError

EXPERIMENT = "experiment"


def sweeps(arguments: list[str]) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """Part overrides with several values (`model.width=32,64`, `seed=range(0,3)`) from the others.

    Returns:
        By key the values, lists among them as tuples; and the other arguments as they are.

    Raises:
        ConfigError: values that cannot be counted, or several values for the same key.
    """
    axes: dict[str, tuple[Any, ...]] = {}
    rest: list[str] = []
    mistakes: list[str] = []
    for argument in arguments:
        try:
            override = OverridesParser.create().parse_override(argument)
        except HydraException:
            rest.append(argument)  # what is wrong with it is said when it is composed
            continue
        if not override.is_sweep_override():
            rest.append(argument)
            continue
        key, given = override.key_or_group, argument.partition("=")[2]
        if key in axes:
            mistakes.append(f"{key}: expected to be given once, given twice [{COMMAND_LINE}]")
        elif not override.is_discrete_sweep():
            mistakes.append(f"{key}: expected values that can be counted, given {given} [{COMMAND_LINE}]")
        else:
            values = [_plain(value) for value in override.sweep_iterator(Transformer.identity)]
            try:
                axes[key] = tuple(dict.fromkeys(values))
            except TypeError:  # a mapping cannot be told apart from others by a hash
                mistakes.append(
                    f"{key}: expected values without settings in them, given {given}; vary the settings one by one "
                    f"[{COMMAND_LINE}]"
                )
    if mistakes:
        raise ConfigError(mistakes)
    return axes, rest


def compose_config(conf: Path, name: str, arguments: list[str]) -> Composed:
    """Compose `conf/<name>.yaml` with the given overrides (`group=name`, `path=value`, `~path`).

    Of a value that is given twice the last one counts, as in Hydra, so that a script's own can be overridden; a choice
    that is given twice is a mistake. An override that cannot be read, or chooses what there is not, is left out and
    becomes one of the `mistakes`, so that the rest can be checked as well.

    Raises:
        ConfigError: a YAML file is broken.
    """
    mistakes: list[str] = []
    overrides: list[Override] = []
    there = choosable(conf, name)
    for argument in arguments:
        try:
            override = _parse(conf, argument)
        except ConfigError as error:
            mistakes += error.lines
            continue
        key = override.key_or_group
        if (conf / key).is_dir() and key not in there:
            expected = f"one of {', '.join(sorted(there))}" if there else "no choice"
            mistakes.append(f"{key}: expected {expected}, given {argument} [{COMMAND_LINE}]")
        else:
            overrides.append(override)
    for group, chosen in _choices(conf, overrides).items():
        if len(chosen) > 1:
            mistakes.append(f"{group}: expected one choice, given {' and '.join(chosen)} [{COMMAND_LINE}]")
    try:
        values, sources = _compose(conf, name, overrides)
        values |= _chosen_by_hand(conf, name, overrides)
    except ConfigError as error:
        raise ConfigError([*mistakes, *error.lines]) from None
    for source in sources:
        if source.package == EXPERIMENT:
            values.pop(EXPERIMENT)
            mistakes.append(f"{source.label}: expected `# @package _global_` as first line, as it is for all sections")
    return Composed(values, frozenset(_paths(overrides)), sources, tuple(mistakes))


def _compose(conf: Path, name: str, overrides: list[Override]) -> tuple[dict[str, Any], list[Source]]:
    typed = [_as_hydra(conf, override) for override in overrides]
    GlobalHydra.instance().clear()
    sources: list[Source] = []
    try:
        with initialize_config_dir(str(conf), version_base="1.3"):
            loader = GlobalHydra.instance().config_loader()
            sources += _sources(conf, loader.compute_defaults_list(name, typed, RunMode.RUN))
            config = compose(name, typed)
        values = OmegaConf.to_container(config, resolve=True)
    except UnicodeDecodeError as error:
        raise ConfigError([f"conf/: expected YAML files in UTF-8, found one that is not ({error})"]) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([unreadable(conf, error)]) from None
    except OmegaConfBaseException as error:
        composed = Composed({}, frozenset(_paths(overrides)), sources)
        raise ConfigError([unresolved(str(error.full_key or ""), error, composed.origin)]) from None
    except (HydraException, ValueError, RecursionError) as error:
        choices = [f"{group}/{chosen[-1]}" for group, chosen in _choices(conf, overrides).items()]
        deletions = [override.key_or_group for override in overrides if override.is_delete()]
        raise ConfigError(defaults_mistakes(conf, name, choices) or [refused(error, deletions)]) from None
    assert isinstance(values, dict)
    return {str(key): value for key, value in values.items()}, sources


def _chosen_by_hand(conf: Path, name: str, overrides: list[Override]) -> dict[str, Any]:
    """The sections for which the command line chooses something else than the experiment does.

    The experiment's settings of such a section were meant for its own choice: they are left out.
    """
    plain = [override for override in overrides if override.key_or_group != EXPERIMENT]
    choices = _choices(conf, plain)
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
    if not key:
        raise ConfigError([f"{argument}: expected key=value, given no key [{COMMAND_LINE}]"])
    if key.partition(".")[0] == "hydra":
        raise ConfigError([f"{key}: expected a known setting, given one of Hydra's own [{COMMAND_LINE}]"])
    if override.is_sweep_override():
        several = f"{argument.partition('=')[2]}; `visionlab grid` tries several"
        raise ConfigError([f"{key}: expected one value, given {several} [{COMMAND_LINE}]"])
    if (conf / key).is_dir() and not override.is_delete() and override.value() not in options(conf, key):
        names = options(conf, key)
        given = override.value()
        expected = f"expected one of {', '.join(names)}, given {show(given)}"
        raise ConfigError([f"{key}: {expected}{did_you_mean(str(given), names)} [{COMMAND_LINE}]"])
    return override


def _plain(value: Any) -> Any:
    """A value of a sweep without the marks of Hydra's grammar."""
    if isinstance(value, QuotedString):
        return value.text
    return tuple(_plain(part) for part in value) if isinstance(value, list) else value


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


def _choices(conf: Path, overrides: list[Override]) -> dict[str, list[str]]:
    """By group what the overrides choose, in their order."""
    found: dict[str, list[str]] = {}
    for override in overrides:
        if (conf / override.key_or_group).is_dir() and not override.is_delete():
            found.setdefault(override.key_or_group, []).append(str(override.value()))
    return found


def _paths(overrides: list[Override]) -> Iterator[str]:
    """Every dotted path that overrides set, also those within a value such as ``{flip: random, translate: 2}``."""

    def below(path: str, value: Any) -> Iterator[str]:
        yield path
        for key, inside in value.items() if isinstance(value, dict) else ():
            yield from below(f"{path}.{key}", inside)

    for override in overrides:
        yield from below(override.key_or_group, override.value())
