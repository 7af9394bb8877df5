"""Which settings the configuration classes have, by dotted path."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from visionlab.config.expectation import choice_names, is_section, union_members, unwrapped
from visionlab.config.suggest import nearest


@dataclass(frozen=True)
class Place:
    """Where pydantic found a mistake.

    Attributes:
        keys: that lead there, from the root.
        annotation: the type that is expected there; None for a setting that there is not.
        constraints: on the type.
        beside: the settings that there are instead of one that there is not.
    """

    keys: tuple[str, ...]
    annotation: Any = None
    constraints: tuple[Any, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return ".".join(self.keys)


def known_paths(schema: type[BaseModel], values: Any) -> list[str]:
    """Every setting there is; of components those of the one that `values` names."""
    return [path for path, choice in _settings(schema, values) if choice is None]


def hint(schema: type[BaseModel], values: Any, unknown: Place) -> str:
    """What may have been meant by a setting that there is not, or only for another component than the chosen one.

    Returns:
        ``; depth is a setting of model=resnet``, ``; did you mean model.width?``, or nothing.
    """
    section = "".join(f"{key}." for key in unknown.keys[:-1])
    here = dict.fromkeys([*(section + name for name in unknown.beside), *known_paths(schema, values)])
    elsewhere: dict[str, list[str]] = {}
    for path, choice in _settings(schema, values):
        if choice is not None and path not in here:
            elsewhere.setdefault(path, []).append(choice)
    if unknown.path in elsewhere:
        return f"; {unknown.keys[-1]} is a setting of {' and '.join(elsewhere[unknown.path])}"
    near = nearest(unknown.path, [*here, *elsewhere])
    if near is None:
        return ""
    choices = f", a setting of {' and '.join(elsewhere[near])}" if near in elsewhere else ""
    return f"; did you mean {near}{choices}?"


def place(schema: type[BaseModel], location: Sequence[str | int]) -> Place:
    """Where a location of pydantic's is, which has names of members of unions between those of settings."""
    return _follow(Place((), schema), location)


def _settings(
    schema: type[BaseModel], values: Any, prefix: str = "", choice: str | None = None
) -> Iterator[tuple[str, str | None]]:
    """The path of every setting, and for those of components that are not chosen what would choose them."""
    for key, field in _fields(schema).items():
        yield prefix + key, choice
        below = values.get(key) if isinstance(values, dict) else None
        for section in filter(is_section, union_members(unwrapped(field.annotation)[0])):
            names = choice_names(section)
            chosen = not names or not isinstance(below, dict) or below.get("name", names[0]) in names
            other = choice if chosen else f"{prefix}{key}={names[0]}"
            yield from _settings(section, below, f"{prefix}{key}.", other)


def _follow(at: Place, location: Sequence[str | int]) -> Place:
    """The place that a location leads to from another one."""
    if not location:
        return at
    part, rest = location[0], location[1:]
    inside, limits = unwrapped(at.annotation, at.constraints)
    members = [member for member in union_members(inside) if member is not type(None)]
    if len(members) > 1:
        if not rest:
            return at
        chosen = [member for member in members if part in choice_names(member)] or filter(_is_container, members)
        return _follow(Place(at.keys, next(iter(chosen), inside)), rest)
    inside, _ = unwrapped(members[0], limits)
    keys = (*at.keys, str(part))
    if is_section(inside):
        fields = _fields(inside)
        if part not in fields:
            return Place(keys, beside=tuple(fields))
        field = fields[str(part)]
        return _follow(Place(keys, field.annotation, tuple(field.metadata)), rest)
    if _is_container(inside):
        return _follow(Place(keys, _member(inside, part)), rest)
    return _follow(at, rest)  # the part is the name of a validator


def _fields(schema: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in schema.model_fields.items()}


def _is_container(annotation: Any) -> bool:
    inside, _ = unwrapped(annotation)
    return is_section(inside) or typing.get_origin(inside) in (tuple, list, dict)


def _member(container: Any, part: str | int) -> Any:
    """The type of a dictionary's values, or of one member of a list."""
    arguments = [argument for argument in typing.get_args(container) if argument is not Ellipsis]
    if typing.get_origin(container) is dict:
        return arguments[1]
    return arguments[part] if isinstance(part, int) and part < len(arguments) else arguments[0]
