"""The checked configuration of a command, and one line for each thing that is wrong with it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from visionlab import project
from visionlab.config.compose import Composed, Source, compose_config
from visionlab.config.suggest import did_you_mean
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError, UserError

Config = TypeVar("Config", bound=BaseModel)


def load_train_config(overrides: list[str]) -> TrainConfig:
    """Compose and check the configuration of a training run.

    Raises:
        ConfigError: with one line for each mistake.
    """
    composed = compose_config(project.conf(), "train", overrides)
    values = composed.values
    experiment = next((o.partition("=")[2] for o in overrides if o.startswith("experiment=")), None)
    if values.get("name") is None:
        data = values.get("data") or {}
        values["name"] = experiment or (data.get("name") if isinstance(data, dict) else None)
    return check(TrainConfig, composed)


def check(schema: type[Config], composed: Composed) -> Config:
    """Give the composed values their meaning."""
    lines = list(composed.mistakes)
    try:
        config = schema.model_validate(composed.values)
    except ValidationError as error:
        lines += _explain(schema, composed, error.errors(include_url=False))
    if lines:
        raise ConfigError(lines)
    return config


def read_config(file: Path) -> TrainConfig:
    """Read the resolved `config.yaml` of a run."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise UserError(f"{file}: expected the resolved configuration of a run, found {_show(values)}")
        return check(TrainConfig, Composed(values, frozenset(), [Source(file, str(file))]))
    except FileNotFoundError:
        raise UserError(f"{file}: expected the resolved configuration of a run, found no file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())[:200]
        raise UserError(f"{file}: expected the resolved configuration of a run, found no YAML ({line})") from None


def change_config(config: TrainConfig, overrides: list[str], allowed: tuple[str, ...]) -> TrainConfig:
    """The configuration of a run with some settings changed.

    Args:
        overrides: `path=value` each.
        allowed: the sections that may change.

    Raises:
        ConfigError: with one line for each mistake.
    """
    values = config.model_dump(mode="json")
    known = list(known_paths(TrainConfig, values))
    mistakes: list[str] = []
    changed: set[str] = set()
    for override in overrides:
        path, equals, text = override.partition("=")
        section, _, key = path.rpartition(".")
        if not equals or path not in known:
            mistakes.append(f"{override}: expected a known setting=value{did_you_mean(path, known)}")
        elif section not in allowed:
            sections = " and ".join(f"{name}.*" for name in allowed)
            mistakes.append(f"{path}: stays as it is in a run that goes on, only {sections} can change")
        else:
            try:
                values[section][key] = yaml.safe_load(text)
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


def known_paths(schema: type[BaseModel], values: Any, prefix: str = "") -> Iterator[str]:
    """Every setting that `schema` has, as dotted paths; of components the one that `values` names."""
    for key, field in schema.model_fields.items():
        yield prefix + key
        below = values.get(key) if isinstance(values, dict) else None
        for section in _sections(field.annotation):
            names = typing.get_args(section.model_fields["name"].annotation) if "name" in section.model_fields else ()
            if not names or not isinstance(below, dict) or below.get("name", names[0]) in names:
                yield from known_paths(section, below, f"{prefix}{key}.")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType, typing.Annotated):
        for argument in typing.get_args(annotation):
            yield from _sections(argument)


def _explain(schema: type[BaseModel], composed: Composed, errors: list[ErrorDetails]) -> list[str]:
    """One line a mistake; the several complaints about the members of a union become one."""
    known = list(known_paths(schema, composed.values))
    merged: dict[str, tuple[list[str], str]] = {}
    for error in errors:
        path = _path(composed.values, error)
        kind = error["type"]
        origin = composed.origin(path) if path else "together"
        if kind == "extra_forbidden":
            hint = did_you_mean(path, known)
            expectation, rest = "a known setting", f", given {_show(error['input'])}{hint} [{origin}]"
        elif kind == "missing":
            expectation, rest = "a value", f", given none [set it with {path}=…]"
        elif kind == "value_error":
            expectation, rest = str(error["ctx"]["error"]), ""
        else:
            given = error["ctx"]["tag"] if kind == "union_tag_invalid" else error["input"]
            names = _choices(error)
            hint = did_you_mean(str(given), names) if names else ""
            expectation, rest = _expectation(error), f", given {_show(given)}{hint} [{origin}]"
        expectations, _ = merged.setdefault(f"{path}|{kind == 'value_error'}", ([], rest))
        if expectation not in expectations:
            expectations.append(expectation)
    lines = []
    for key, (expectations, rest) in merged.items():
        path, _, is_rule = key.partition("|")
        said = "; ".join(expectations) if is_rule == "True" else "expected " + " or ".join(expectations)
        lines.append(f"{path}: {said}{rest}" if path else f"{said}{rest}")
    return lines


def _path(values: Any, error: ErrorDetails) -> str:
    """The dotted path of an error, without the names that pydantic puts in for members of unions."""
    path: list[str] = []
    for part in error["loc"]:
        inside = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if inside:
            values = values[part]  # type: ignore[index]
            path.append(str(part))
    if error["type"] == "missing":
        path.append(str(error["loc"][-1]))
    if error["type"].startswith("union_tag"):
        path.append("name")
    return ".".join(path)


def _choices(error: ErrorDetails) -> list[str]:
    context = error.get("ctx", {})
    text = context.get("expected_tags") or (context.get("expected") if error["type"] == "literal_error" else "") or ""
    return [name.strip().strip("'") for name in text.replace(" or ", ", ").split(", ") if name.strip()]


def _expectation(error: ErrorDetails) -> str:
    names = _choices(error)
    if names:
        return f"one of {', '.join(names)}" if len(names) > 1 else names[0]
    text = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return text.partition(", unable to parse")[0].replace("valid ", "")


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
