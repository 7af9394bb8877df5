"""One line for each thing that is wrong with a configuration: path, expected, given, nearest known name, origin."""

from __future__ import annotations

import re
import typing

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from visionlab.config.expectation import expectation, is_section, show, union_members, unwrapped, words_of
from visionlab.config.settings import Place, hint, known_paths, place
from visionlab.config.source import Composed
from visionlab.config.suggest import did_you_mean

# of these types are the rules of the configuration classes, which have words of their own
RULES = {"value_error", "assertion_error"}
TYPES = set(typing.get_args(ErrorType)) - RULES


def explain(schema: type[BaseModel], composed: Composed, errors: list[ErrorDetails]) -> list[str]:
    """One line a mistake; what pydantic says of each member of a union becomes one."""
    lines: dict[tuple[str, ...], str] = {}
    for error in errors:
        found = _place(schema, error)
        say = _wrong_value if error["type"] in TYPES else _broken_rule
        lines.setdefault(found.keys, say(schema, composed, error, found))
    # of a union with lists pydantic complains as a whole, too, where a member of the list is what is wrong
    return [line for keys, line in lines.items() if not any(_is_inside(other, keys) for other in lines)]


def _place(schema: type[BaseModel], error: ErrorDetails) -> Place:
    """Where the mistake is; for a list that is too short that is the list."""
    location = error["loc"]
    if error["type"] == "missing" and isinstance(location[-1], int):
        location = location[:-1]
    found = place(schema, location)
    if error["type"].startswith("union_tag"):
        return Place((*found.keys, "name"), found.annotation)
    return found


def _wrong_value(schema: type[BaseModel], composed: Composed, error: ErrorDetails, found: Place) -> str:
    path, given = found.path, error["input"]
    origin = f"[{composed.origin(path)}]"
    if found.annotation is None:
        return f"{path}: expected a known setting, given {show(given)}{hint(schema, composed.values, found)} {origin}"
    expected = expectation(found.annotation, found.constraints)
    if error["type"] == "finite_number":
        expected = expected.replace("a number", "a finite number", 1)
    if error["type"] == "union_tag_not_found" or (error["type"] == "missing" and error["loc"][-1] == found.keys[-1]):
        return f"{path}: expected {expected}, given none [set it with {path}=…]"
    if error["type"] == "union_tag_invalid":
        given = given["name"]
    words = words_of(found.annotation)
    more = did_you_mean(given, words) if isinstance(given, str) else ""
    if error["type"] == "model_attributes_type" and given in words:
        more = f"; a file chooses it by `override /{path}: {given}` in its defaults list"
        expected = "settings"
    return f"{path}: expected {expected}, given {show(given)}{more} {origin}"


def _broken_rule(schema: type[BaseModel], composed: Composed, error: ErrorDetails, found: Place) -> str:
    """The words of the rule; those of a section's rule may begin with the setting that they are about."""
    text = str(error.get("ctx", {}).get("error", error["msg"]))
    begin = re.match(r"(\w+)[\w.]*: ", text)
    prefix = "".join(f"{key}." for key in found.keys)
    if begin and prefix + begin[1] in known_paths(schema, composed.values):
        about = text.partition(":")[0]
        return f"{prefix}{text} [{composed.origin(prefix + about)}]"
    if not found.keys:
        return text
    members = union_members(unwrapped(found.annotation)[0])
    origin = "" if any(is_section(member) for member in members) else f" [{composed.origin(found.path)}]"
    return f"{found.path}: {text}{origin}"


def _is_inside(keys: tuple[str, ...], others: tuple[str, ...]) -> bool:
    return len(keys) > len(others) and keys[: len(others)] == others
