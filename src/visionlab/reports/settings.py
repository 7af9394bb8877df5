"""What sets a run apart: the settings that are not their defaults."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

LABELS = ("name", "tracking")  # say nothing of the training


def chosen(config: BaseModel, prefix: str = "") -> dict[str, Any]:
    """The settings that differ from the defaults of the config classes, by dotted path.

    The names of components, such as the model, are always among them; so is what `auto` came to on the machine.
    """
    found: dict[str, Any] = {}
    for key, field in type(config).model_fields.items():
        value, path = getattr(config, key), prefix + key
        if path in LABELS:
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel) and (field.is_required() or isinstance(default, BaseModel)):
            found |= chosen(value, f"{path}.")
        elif field.is_required() or value != default or key == "name":
            found[path] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return found
