"""The two kinds of configuration class: a section, and a component that is chosen by name."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from visionlab.config.expectation import union_members, unwrapped

NAME = r"^\w[\w-]{0,79}$"  # that is a folder's name too


class Section(BaseModel):
    """A group of settings. Frozen, and unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, values: Any) -> Any:
        """Pydantic takes true for 1: ``early_stopping: true`` would be a patience of 1."""
        if not isinstance(values, dict):
            return values
        words = {key: str(value).lower() for key, value in values.items() if isinstance(value, bool)}
        numbers = {key for key in words if key in cls.model_fields and _is_number(cls.model_fields[key].annotation)}
        return values | {key: words[key] for key in numbers}


def _is_number(annotation: Any) -> bool:
    members = {unwrapped(member)[0] for member in union_members(annotation)}
    return not members.isdisjoint({int, float}) and bool not in members


class Component(Section):
    """The settings of something that is chosen by its name: a model, a data set, an optimizer, a loss, …

    A subclass says which code it configures in `implementation`, as ``"package.module:object"``. The string is
    resolved only when the thing is built, so that reading a configuration imports nothing heavy.
    """

    implementation: ClassVar[str]

    name: str

    def load_implementation(self) -> Any:
        """Import and return the class or function that these settings are for."""
        module, _, attribute = self.implementation.partition(":")
        return getattr(importlib.import_module(module), attribute)
