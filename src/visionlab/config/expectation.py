"""The two halves of a line about a mistake: what a setting may be, from its type, and what was given."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

SHOWN = 3  # settings of a section that are named
LENGTH = 60  # of a value that is shown
SCALARS = {str, int, float, bool}
PLURAL = {str: "texts", int: "whole numbers", float: "numbers"}
# the pattern of names that become those of files and folders
NAME = re.compile(r"\^\[\\w\.-\]\{1,(\d+)\}\$")


def expectation(annotation: Any, constraints: Iterable[Any] = ()) -> str:
    """What a value of this type has to be, to be read behind "expected": ``a whole number of at least 1 or auto``.

    Args:
        annotation: as in a configuration class.
        constraints: what pydantic knows besides, such as `Ge(1)`; those of a union are meant for each member.
    """
    annotation, constraints = unwrapped(annotation, constraints)
    members = union_members(annotation)
    if set(members) >= SCALARS:
        return "a value"
    if len(members) > 1 and all(choice_names(member) for member in members):
        return any_of([name for member in members for name in choice_names(member)])
    phrases: list[str] = []
    words: list[str] = []
    for member in members:
        if member in (bool, type(None)) or typing.get_origin(member) is Literal:
            words += _words(member)
        else:
            phrases.append(_phrase(*unwrapped(member, constraints)))
    if not phrases:
        return any_of(words)
    comma = ", or " if len(words) == 1 else ", "
    return comma.join([_or(phrases), *([_or(words)] if words else [])])


def show(value: Any) -> str:
    """A value as YAML has it, shortened."""
    text = str(value).lower() if isinstance(value, bool) else "null" if value is None else repr(value)
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"


def unwrapped(annotation: Any, constraints: Iterable[Any] = ()) -> tuple[Any, list[Any]]:
    """A type without `Annotated`, and all constraints on it."""
    found = list(constraints)
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *extras = typing.get_args(annotation)
        for extra in extras:
            found += extra.metadata if isinstance(extra, FieldInfo) else [extra]
    return annotation, found


def union_members(annotation: Any) -> tuple[Any, ...]:
    """The types that a union allows, None among them; a type that is no union allows itself."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def is_section(annotation: Any) -> bool:
    """Whether a type is a configuration class."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def choice_names(annotation: Any) -> tuple[str, ...]:
    """The names that choose a component; nothing for any other type."""
    section, _ = unwrapped(annotation)
    if not is_section(section) or "name" not in section.model_fields:
        return ()
    name = section.model_fields["name"].annotation
    return typing.get_args(name) if typing.get_origin(name) is Literal else ()


def words_of(annotation: Any) -> list[str]:
    """The words among which a setting of this type may choose, true, false and null left out."""
    words: list[str] = []
    for member in union_members(unwrapped(annotation)[0]):
        is_word = typing.get_origin(member) is Literal
        words += [str(word) for word in typing.get_args(member)] if is_word else choice_names(member)
    return words


def any_of(words: Sequence[str]) -> str:
    """Of more than two words ``one of a, b, c``."""
    return f"one of {', '.join(words)}" if len(words) > 2 else _or(words)


def _phrase(annotation: Any, constraints: Sequence[Any]) -> str:
    if annotation in (int, float):
        return f"a {PLURAL[annotation].removesuffix('s')}{_range(constraints)}"
    if annotation is str:
        return _text(constraints)
    if is_section(annotation):
        names = [field.alias or name for name, field in annotation.model_fields.items()]
        return f"settings such as {', '.join(names[:SHOWN])}"
    if typing.get_origin(annotation) in (tuple, list):
        return _list(typing.get_args(annotation), constraints)
    if typing.get_origin(annotation) is dict:
        return "one or more settings below it" if _limit(constraints, "min_length") else "settings below it"
    return f"a value of the type {getattr(annotation, '__name__', annotation)}"


def _list(arguments: tuple[Any, ...], constraints: Sequence[Any]) -> str:
    """Of `tuple[X, ...]` and `list[X]`, or of a tuple with a fixed number of members."""
    least, most = _limit(constraints, "min_length"), _limit(constraints, "max_length")
    if len(arguments) > 1 and Ellipsis not in arguments:
        count = f"{len(arguments)} "
    elif most is not None:
        count = f"{least or 0} to {most} "
    else:
        count = {0: "", 1: "one or more "}.get(least or 0, f"{least} or more ")
    member, limits = unwrapped(arguments[0])
    are_alike = len({*arguments} - {Ellipsis}) == 1
    limited = _range(limits) if are_alike and member in (int, float) else ""
    return f"a list of {count}{PLURAL.get(member, 'values') if are_alike else 'values'}{limited}"


def _range(constraints: Sequence[Any]) -> str:
    """The limits of a number: `` from 1 to 8``, `` above 0``, `` of at least 0 and below 1``."""
    least, above, most, below = (_limit(constraints, name) for name in ("ge", "gt", "le", "lt"))
    if least is not None and most is not None:
        return f" from {least} to {most}"
    limits = {"of at least": least, "above": above, "of at most" if above is None else "at most": most, "below": below}
    said = [f"{words} {limit}" for words, limit in limits.items() if limit is not None]
    return f" {' and '.join(said)}" if said else ""


def _text(constraints: Sequence[Any]) -> str:
    pattern = _limit(constraints, "pattern")
    if pattern is None:
        return "text"
    name = NAME.fullmatch(pattern)
    return f"1 to {name[1]} letters, digits and any of _ . -" if name else f"text of the form {pattern}"


def _limit(constraints: Sequence[Any], name: str) -> Any:
    """What one of the constraints says by that name, as `Ge(1)` does by ``ge``."""
    return next((getattr(one, name) for one in constraints if getattr(one, name, None) is not None), None)


def _words(annotation: Any) -> list[str]:
    if annotation is bool:
        return ["true", "false"]
    return ["null"] if annotation is type(None) else [str(word) for word in typing.get_args(annotation)]


def _or(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} or {last}" if others else last
