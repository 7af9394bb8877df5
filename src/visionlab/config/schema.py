"""JSON schemas from the configuration classes, so that an editor completes and checks the YAML files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visionlab.config.base import Section
from visionlab.config.campaign import CAMPAIGNS
from visionlab.config.gather import GatherConfig, GatheringConfig
from visionlab.config.lab import LabConfig
from visionlab.config.search import StudyConfig
from visionlab.config.train import TrainConfig

Schema = dict[str, Any]


def write_schemas(folder: Path) -> list[Path]:
    """Write `train.json`, `experiment.json` and one file for each config group; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in sorted(schemas().items()):
        file = folder / f"{name}.json"
        part = file.with_suffix(".part")
        part.write_text(json.dumps(schema, indent=1))
        part.replace(file)
        files.append(file)
    return files


def schemas() -> dict[str, Schema]:
    """By name: of the files in conf/ itself, and of those in each of its folders."""
    whole = _partial(TrainConfig.model_json_schema())
    sections = {
        name: {"$defs": whole["$defs"], **described}
        for name, described in whole["properties"].items()
        if "$ref" in described or any("$ref" in member for member in described.get("anyOf", []))
    }
    campaigns = {config.file: _partial(config.model_json_schema()) for config in CAMPAIGNS}
    gathering = _partial(GatheringConfig.model_json_schema())
    for root in (whole, gathering, *campaigns.values()):
        # Hydra's own key, which only files have that build on others
        root["properties"]["defaults"] = {"type": "array", "description": "the choices that this file builds on"}
    parts: dict[str, type[Section]] = {"study": StudyConfig, "lab": LabConfig, "gather": GatherConfig}
    others = {"train": whole, "experiment": whole, "gathering": gathering}
    others |= {name: _partial(config.model_json_schema()) for name, config in parts.items()}
    return sections | campaigns | others


def _partial(schema: Schema) -> Schema:
    """The schema of a file that may leave settings to other files: nothing in it is required.

    Without required names the members of a union overlap, so it becomes `anyOf`.
    """

    def relax(node: Any) -> Any:
        if isinstance(node, list):
            return [relax(item) for item in node]
        if not isinstance(node, dict):
            return node
        kept = {key: relax(value) for key, value in node.items() if key not in ("required", "discriminator", "default")}
        return {("anyOf" if key == "oneOf" else key): value for key, value in kept.items()}

    relaxed: Schema = relax(schema)
    return relaxed
