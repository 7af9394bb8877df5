"""The two kinds of configuration class: a section, and a component that is chosen by name."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of settings. Frozen, and unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )


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
