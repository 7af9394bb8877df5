"""The resolved configuration: checked, kept as YAML in a run's folder, read again and changed. Without hydra."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from visionlab.config.expectation import show
from visionlab.config.messages import explain
from visionlab.config.settings import known_paths
from visionlab.config.source import Composed, Source
from visionlab.config.suggest import did_you_mean
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError, UserError

Config = TypeVar("Config", bound=BaseModel)


def check(schema: type[Config], composed: Composed) -> Config:
    """Give the composed values their meaning."""
    lines = list(composed.mistakes)
    try:
        config = schema.model_validate(composed.values)
    except ValidationError as error:
        lines += explain(schema, composed, error.errors(include_url=False))
    if lines:
        raise ConfigError(lines)
    return config


def read_config(file: Path) -> TrainConfig:
    """Read the resolved `config.yaml` of a run."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise UserError(f"{file}: expected the resolved configuration of a run, found {show(values)}")
        return check(TrainConfig, Composed(values, frozenset(), [Source(file, str(file))]))
    except FileNotFoundError:
        raise UserError(f"{file}: expected the resolved configuration of a run, found no file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UserError(f"{file}: expected the resolved configuration of a run, found no YAML ({line})") from None


def change_config(config: TrainConfig, overrides: list[str], allowed: tuple[str, ...] | None) -> TrainConfig:
    """The configuration of a run with some settings changed.

    Args:
        overrides: `path=value` each.
        allowed: the sections that may change; None for all of them.

    Raises:
        ConfigError: with one line for each mistake.
    """
    values = config.model_dump(mode="json")
    known = known_paths(TrainConfig, values)
    mistakes: list[str] = []
    changed: set[str] = set()
    for override in overrides:
        path, equals, text = override.partition("=")
        section, _, key = path.rpartition(".")
        if not equals or path not in known:
            mistakes.append(f"{override}: expected a known setting=value{did_you_mean(path, known)}")
        elif allowed is not None and section not in allowed:
            sections = " and ".join(f"{name}.*" for name in allowed)
            mistakes.append(f"{path}: stays as it is in a run that goes on, only {sections} can change")
        else:
            content = values
            for parent in section.split(".") if section else ():
                content[parent] = content[parent] or {}  # a section may be null
                content = content[parent]
            try:
                content[key] = yaml.safe_load(text)
            except yaml.YAMLError:
                mistakes.append(f"{path}: expected a value in YAML, given {text!r}")
            changed.add(path)
    return check(TrainConfig, Composed(values, frozenset(changed), [], tuple(mistakes)))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as dotted paths."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def dump_config(config: BaseModel) -> str:
    """The configuration as YAML, every setting of it."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
