"""The JSON schemas accept every YAML file of the project and refuse a typo in any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from visionlab import project
from visionlab.config.schema import schemas, write_schemas

FILES = sorted(file for file in project.conf().rglob("*.yaml"))


def schema_of(file: Path) -> dict[str, Any]:
    return schemas()[file.stem if file.parent == project.conf() else file.parent.name]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_file_fits_its_schema_and_a_typo_does_not(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    validator = Draft202012Validator(schema_of(file))
    assert list(validator.iter_errors(content)) == []
    assert list(validator.iter_errors(content | {"wdth": 3}))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_comment_points_an_editor_to_the_schema(file: Path, tmp_path: Path) -> None:
    (line,) = [line for line in file.read_text().splitlines() if "yaml-language-server" in line]
    pointer = line.removeprefix("# yaml-language-server: $schema=")
    names = {written.name for written in write_schemas(tmp_path)}
    assert (file.parent / pointer).resolve().parent == project.conf() / ".schema"
    assert Path(pointer).name in names


def test_a_wrong_value_inside_an_experiment_is_refused() -> None:
    validator = Draft202012Validator(schemas()["experiment"])
    assert list(validator.iter_errors({"model": {"name": "cnn", "width": "wide"}}))
    assert list(validator.iter_errors({"trainer": {"max_epoch": 3}}))
    assert not list(validator.iter_errors({"trainer": {"max_epochs": 3}, "optimizer": {"lr": 0.1}}))
